"""Learners for tables, one file each."""
