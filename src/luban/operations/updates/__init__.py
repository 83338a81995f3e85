"""Verbs about updates: what was done, and what is done by itself."""
