"""Verbs about roles: sets of scopes by name."""
