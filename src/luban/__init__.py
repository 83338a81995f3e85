"""Luban: one workshop for AI models, from a file to a model that is kept up to date."""

__version__ = "0.1.0"
