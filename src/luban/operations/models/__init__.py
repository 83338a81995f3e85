"""Verbs on registered models."""
