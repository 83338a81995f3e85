"""All that lasts: rows that relate, and blobs named by their digest.

``Workspace`` and ``Blobs`` are loaded on first use, so that a process that only needs blobs
imports no database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luban.store.blobs import Blobs
    from luban.store.workspace import Workspace

__all__ = ["Blobs", "Workspace"]

_HOMES = {"Blobs": "luban.store.blobs", "Workspace": "luban.store.workspace"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
