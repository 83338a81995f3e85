"""Smaller forms of a model's graph, and what they cost."""
