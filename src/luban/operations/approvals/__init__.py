"""Verbs about approvals: what waits for a person's yes."""
