"""How a preparation leaves the house: as the file ``alone.py`` of its modality, which imports nothing of Luban."""

from __future__ import annotations

from importlib.resources import files

from luban.core.preparation import Program


def program(modality: str, *packages: str, file: str = "alone.py") -> Program:
    """Return the program of a modality, such as ``text``, and the packages that it imports beside NumPy."""
    source = files("luban.modalities").joinpath(modality, file).read_text(encoding="utf-8")
    return Program(source=source, packages=packages)
