"""Verbs about deployments: which versions answer under a name."""
