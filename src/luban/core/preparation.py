"""What turns input columns into tensors before a network sees them: tokens of texts, pixels of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.report import Finding
    from luban.core.space import Space


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """The type of a tensor that has one entry a row.

    Parameters
    ----------
    dtype : str
        As NumPy writes it: ``"float32"``, ``"int64"``.
    shape : tuple of int or None
        Of one row; None for a size that differs from batch to batch.
    """

    dtype: str
    shape: tuple[int | None, ...]


@runtime_checkable
class Preparation(Protocol):
    """A deterministic step from columns of the canonical table to tensors (group ``luban.preparations``).

    It is what no graph can hold, so it travels beside it, in the same file: the entry point names a class whose
    ``load(payloads)`` returns what `save` wrote. Whatever runs the graph runs the preparation first.

    Attributes
    ----------
    name : str
        Its entry point.
    columns : tuple of str
        What it reads.
    tensors : mapping of str to Tensor
        What it makes, by name.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensors of these rows; a missing value has a defined tensor and never raises."""

    def save(self) -> Mapping[str, bytes]:
        """Return the typed payloads, by file name; never pickle."""


@runtime_checkable
class Augmenting(Protocol):
    """Ability of a preparation: what it read can be varied at random before it is made into tensors.

    ``finished(taken(table))`` equals ``preparation(table)`` bit for bit, so that a network meets at prediction what it
    met while it learnt.
    """

    @property
    def augmentations(self) -> Space:
        """What can be varied, and how much is worth trying; 0 or a parameter left out varies nothing."""

    def taken(self, table: pa.Table) -> Sequence[Any]:
        """Return one value a row as it was read (texts, pixels, samples), None where it is missing; it may be kept."""

    def varied(self, taken: Sequence[Any], parameters: Mapping[str, Any], random: np.random.Generator) -> Sequence[Any]:
        """Return the values varied at random; those given stay as they are. Other parameters are passed over."""

    def finished(self, taken: Sequence[Any]) -> dict[str, np.ndarray]:
        """Return the tensors of these values."""


@runtime_checkable
class Inspecting(Protocol):
    """Ability of a preparation: it can say what it would lose of some rows."""

    def inspect(self, table: pa.Table, *, seconds: float = math.inf) -> Sequence[Finding]:
        """Return what is worth knowing before training, each with its fix, from at most some thousand of the rows.

        Parameters
        ----------
        seconds : float
            In which it ends. Where they do not suffice for all that it would look at, a finding tells what it looked
            at; one row is looked at in any case.
        """


@runtime_checkable
class Glancing(Protocol):
    """Ability of a preparation of files: it can say what it would lose by the heads of some, without decoding any."""

    def glance(self, table: pa.Table) -> Sequence[Finding]:
        """Return what is worth knowing before training, each with its fix, from some hundred of the files at most."""


@runtime_checkable
class Cutting(Protocol):
    """Ability of a preparation: it cuts off what rows have beyond a length."""

    @property
    def max_length(self) -> int:
        """Most steps that its tensors have along a row, such as tokens of a text."""


@dataclass(frozen=True)
class Place:
    """Which characters a token stands for.

    Parameters
    ----------
    column : int
        Place of the column in `Preparation.columns`; -1 for a token that stands for no text.
    start, end : int
        Characters of the text, the last one excluded.
    """

    column: int
    start: int = 0
    end: int = 0


@runtime_checkable
class Spelling(Protocol):
    """Ability of a preparation: it can say which characters of the texts each token stands for."""

    @property
    def pad(self) -> int:
        """Number of the token that means nothing."""

    def places(self, table: pa.Table) -> Sequence[Sequence[Place]]:
        """Return for each row the places of its tokens, in order, without those of the padding."""


@runtime_checkable
class Depicting(Protocol):
    """Ability of a preparation: what it made of one row is a plane that can be drawn, and covered in places."""

    def picture(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what one row's tensors show, uint8 of shape (height, width, 3), as a person would look at it."""

    def covered(self, tensors: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
        """Return tensors of m rows, each the one given with parts of its picture covered by what means nothing.

        Parameters
        ----------
        kept : numpy.ndarray
            Shape (m, r, c): how much is kept of each cell of a grid over the picture, from 0 to 1.
        """

    def axes(self, tensors: Mapping[str, np.ndarray]) -> tuple[str, str]:
        """Return what lies across and upwards of the picture, with units; empty where it is plain to see."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A preparation as a few lines of Python that need no Luban.

    Parameters
    ----------
    source : str
        A module with ``prepare(rows, folder)``, which returns the tensors by name: rows is a list of dicts of plain
        values by column (a file is given by its path or a data URI), folder the `pathlib.Path` of the payloads.
    packages : tuple of str
        What it imports beside the standard library and NumPy, by the names that pip knows.
    """

    source: str
    packages: tuple[str, ...] = ()


@runtime_checkable
class Portable(Protocol):
    """Ability of a preparation: it can leave the house with a graph, as a program that a person can read."""

    def program(self) -> Program:
        """Return the program that makes the same tensors from what `Preparation.save` wrote."""
