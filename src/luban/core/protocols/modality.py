"""Kinds of data, and what some of them can tell of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.report import Finding


@runtime_checkable
class Modality(Protocol):
    """A kind of data (group ``luban.modalities``)."""

    def detect(self, name: str, values: pa.ChunkedArray) -> str | None:
        """Return the kind of column that these values are, or None where it is not of this modality."""

    def profile(self, name: str, values: pa.ChunkedArray) -> Mapping[str, Any]:
        """Return figures that describe a column."""


@runtime_checkable
class Examining(Protocol):
    """Ability of a modality: its values are files of their own, which may be broken."""

    def examine(self, content: bytes) -> Mapping[str, Any]:
        """Read a file to its end and return its figures, or raise `InputError` with what is wrong with it."""


@runtime_checkable
class Reporting(Protocol):
    """Ability of a modality: it can say what is worth knowing of a column."""

    def findings(self, name: str, figures: Mapping[str, Any]) -> Sequence[Finding]:
        """Return what the figures of `Modality.profile` mean, in words, each with its fix where it needs one."""
