"""A handle on one version of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from luban.core.recipe import Recipe
    from luban.core.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One immutable version of a data set; its rows are read lazily from the store.

    Parameters
    ----------
    name : str
    version : int
        Counted from 1.
    schema : Schema
    rows : int
    fingerprint : str
        SHA-256 digest of the content manifest: equal content, equal fingerprint.
    parents : tuple of str
        The versions (``"name/version"``) that this one was made from.
    recipe : Recipe, optional
        The steps that made it from its parents.
    source : str
        Where it was read from, in words.
    """

    name: str
    version: int
    schema: Schema
    rows: int
    fingerprint: str
    parents: tuple[str, ...] = ()
    recipe: Recipe | None = None
    source: str = ""
    created: datetime | None = None

    @property
    def reference(self) -> str:
        """``name/version``."""
        return f"{self.name}/{self.version}"
