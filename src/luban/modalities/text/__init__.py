"""Texts: their scripts and languages, their tokens, and how they are varied."""
