"""Verbs about tokens: who may ask a server for what."""
