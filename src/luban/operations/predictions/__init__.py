"""Verbs about the prediction log."""
