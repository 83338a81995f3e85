"""Columns of numbers, categories, booleans, dates and short text."""
