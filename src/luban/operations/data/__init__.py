"""Verbs on data sets."""
