"""Rows of a table as tensors: prepared once where they are short, batch by batch where they are large or augmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.core.preparation import Augmenting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.preparation import Preparation

_CHUNK = 256
_KEPT = 512 * 2**20
_SMALL = 1000


class Rows:
    """The rows of a table, as batches of tensors.

    Parameters
    ----------
    preparation : Preparation
    table : pyarrow.Table
    augmentation : mapping, optional
        Parameters of the preparation's own augmentations (`luban.core.preparation.Augmenting`).
    seed : int
        Of the augmentation; a batch is varied in the same way for the same seed and `turn`.

    Attributes
    ----------
    lengths : numpy.ndarray
        int64, shape (n,): steps of each row, 1 where all rows are of one size.
    """

    lengths: np.ndarray

    def __init__(
        self,
        preparation: Preparation,
        table: pa.Table,
        *,
        augmentation: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.table = table
        self.preparation = preparation
        self._augmentation = {name: one for name, one in (augmentation or {}).items() if one}
        self._seed = seed
        self._ragged: Mapping[str, Ragged] | None = None
        self._kept: dict[int, Any] = {}
        self._room = _KEPT
        self.lengths = np.ones(len(table), dtype=np.int64)
        if all(one.shape[:1] == (None,) and None not in one.shape[1:] for one in preparation.tensors.values()):
            self._ragged = _ragged(preparation, table)
            if self._ragged is not None:
                self.lengths = np.max([one.sizes for one in self._ragged.values()], axis=0)

    def __len__(self) -> int:
        return len(self.table)

    def batch(self, rows: np.ndarray, *, turn: Sequence[int] | None = None) -> dict[str, torch.Tensor]:
        """Return the tensors of some rows; with `turn` (epoch, number of the batch) they are augmented."""
        varied = turn is not None and bool(self._augmentation)
        if not varied and self._ragged is not None:
            return {name: torch.from_numpy(one.take(rows)) for name, one in self._ragged.items()}
        if isinstance(self.preparation, Augmenting):
            taken: Sequence[Any] = self._read(self.preparation, rows)
            if varied:
                generator = np.random.default_rng([self._seed, *(turn or ())])
                taken = self.preparation.varied(taken, self._augmentation, generator)
            arrays = self.preparation.finished(taken)
        else:
            arrays = self.preparation(self.table.take(rows))
        return {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in arrays.items()}

    def _read(self, preparation: Augmenting, rows: np.ndarray) -> list[Any]:
        """Return what was read of some rows, and keep as much of it as there is room for: decoding is dear."""
        new = [int(row) for row in dict.fromkeys(rows.tolist()) if row not in self._kept]
        read = dict(zip(new, preparation.taken(self.table.take(new)), strict=True)) if new else {}
        found = [read[row] if row in read else self._kept[row] for row in rows.tolist()]
        for row, value in read.items():
            size = getattr(value, "nbytes", _SMALL)
            if self._room >= size:
                self._kept[row] = value
                self._room -= size
        return found


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end.

    Attributes
    ----------
    values : numpy.ndarray
        Shape (total, ...).
    starts, sizes : numpy.ndarray
        int64, shape (n,).
    fill
        What a batch is padded with.
    """

    values: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    fill: float

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return some rows, padded to the longest of them."""
        starts, sizes = self.starts[rows], self.sizes[rows]
        longest = int(sizes.max(initial=1))
        places = np.arange(longest)
        inside = places[None, :] < sizes[:, None]
        index = np.where(inside, starts[:, None] + places[None, :], 0)
        taken = self.values[index] if len(self.values) else np.zeros((*index.shape, *self.values.shape[1:]))
        taken = taken.astype(self.values.dtype, copy=False)
        taken[~inside] = self.fill
        return taken


def _ragged(preparation: Preparation, table: pa.Table) -> dict[str, Ragged] | None:
    """Return all rows prepared and stripped of padding; None where that would be too large or cannot be undone.

    Padding is told from content by the tensors whose name ends in ``mask``: a row is as long as its longest mask.
    """
    masks = [name for name in preparation.tensors if name.endswith("mask")]
    if not masks:
        return None
    parts: dict[str, list[np.ndarray]] = {name: [] for name in preparation.tensors}
    sizes: dict[str, list[np.ndarray]] = {name: [] for name in preparation.tensors}
    fills: dict[str, set[float]] = {name: set() for name in preparation.tensors}
    total = 0
    for start in range(0, len(table), _CHUNK):
        arrays = preparation(table.slice(start, _CHUNK))
        steps = arrays[masks[0]].shape[1] if arrays[masks[0]].ndim > 1 else 0
        real = np.max([_lengths(arrays[name]) for name in masks], axis=0)
        for name, array in arrays.items():
            if array.ndim < 2:
                return None
            length = real if array.shape[1] == steps else _until(array, -1)
            inside = np.arange(array.shape[1])[None, :] < length[:, None]
            fills[name].update(np.unique(array[~inside]).tolist())
            parts[name].append(array[inside])
            sizes[name].append(length)
            total += parts[name][-1].nbytes
        if total > _KEPT or any(len(one) > 1 for one in fills.values()):
            return None
    if not len(table):
        return None
    result = {}
    for name, part in parts.items():
        size = np.concatenate(sizes[name]).astype(np.int64)
        result[name] = Ragged(np.concatenate(part), np.cumsum(size) - size, size, next(iter(fills[name]), 0))
    return result


def _lengths(mask: np.ndarray) -> np.ndarray:
    """Return the place behind the last step that is not masked, at least 1."""
    real = mask != 0
    return np.maximum(1, np.where(real.any(axis=1), mask.shape[1] - real[:, ::-1].argmax(axis=1), 1))


def _until(array: np.ndarray, fill: float) -> np.ndarray:
    """Return the place behind the last value that is not `fill`, at least 1, for a tensor with steps of its own."""
    flat = (array != fill).reshape(*array.shape[:2], -1).any(axis=2)
    return np.maximum(1, np.where(flat.any(axis=1), array.shape[1] - flat[:, ::-1].argmax(axis=1), 1))
