"""Measurements of Luban, each in a folder of its own; none is part of the package."""
