"""Verbs about the audit chain."""
