"""The version of Luban."""

__version__ = "0.1.0"
