"""Strategies that walk a space of parameters."""
