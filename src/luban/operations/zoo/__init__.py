"""Verbs about backbones."""
