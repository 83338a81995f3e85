"""Alert rules: add, list, remove, test."""
