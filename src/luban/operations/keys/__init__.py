"""Verbs on the keys that models are signed with."""
