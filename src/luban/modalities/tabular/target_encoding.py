"""Category columns, and crosses of two of them, as the smoothed mean of the target in each level.

The estimate is that of D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes",
SIGKDD Explorations 3(1), 2001, with a prior of constant weight. The training rows get estimates made without their
own fold, so that no row sees its own target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import Symbolic
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.task import Task
    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer

MOST_CELLS = 500_000  # of a cross: level pairs


@dataclass(frozen=True)
class Goals:
    """What is averaged in each level: a column of figures for each output of the encoding.

    Parameters
    ----------
    labels : tuple of str
        What each column stands for; empty text where there is one alone.
    figures : numpy.ndarray
        float64, shape (n, outputs).
    """

    labels: tuple[str, ...]
    figures: np.ndarray

    @classmethod
    def of(cls, task: Task, target: np.ndarray, limit: int) -> Goals:
        """Return the goals of a task: its number, its labels, or membership of classes (at most `limit`)."""
        if task.kind == "multilabel":
            often = np.sort(np.argsort(-target.sum(axis=0), kind="stable")[: max(1, limit)])
            return cls(tuple(f"={task.classes[code]}" for code in often), target[:, often].astype(np.float64))
        if not task.classifies:
            return cls(("",), target.astype(np.float64)[:, None])
        counts = np.bincount(target.astype(np.int64), minlength=len(task.classes))
        frequent = 1 + np.argsort(-counts[1:], kind="stable")[: max(1, limit)]
        chosen = np.sort(frequent)
        labels = tuple(f"={task.classes[code]}" for code in chosen) if len(chosen) > 1 else ("",)
        return cls(labels, (target[:, None] == chosen[None, :]).astype(np.float64))


@dataclass(frozen=True)
class TargetEncoding:
    """Means of the target by level.

    Parameters
    ----------
    keys : tuple of tuples of str
        One or two category columns each.
    sizes : tuple of tuples of int
        How many codes each of them has.
    labels : tuple of str
        What each output stands for.
    table : numpy.ndarray
        The estimates of all keys, one key's levels after another's; float32, shape (levels, outputs).
    """

    kind: ClassVar[str] = "target"
    keys: tuple[tuple[str, ...], ...]
    sizes: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...]
    table: np.ndarray

    @property
    def features(self) -> tuple[Feature, ...]:
        """For each key its outputs."""
        return tuple(
            Feature(name=f"mean[{' x '.join(key)}]{label}", sources=key) for key in self.keys for label in self.labels
        )

    @classmethod
    def fit(
        cls,
        columns: Columns,
        keys: Sequence[tuple[str, ...]],
        goals: Goals,
        *,
        smoothing: float,
        folds: np.ndarray,
    ) -> tuple[TargetEncoding, np.ndarray]:
        """Return the block and the out-of-fold matrix of the training rows.

        Parameters
        ----------
        folds : numpy.ndarray
            The fold of each training row, int64, shape (n,).
        """
        sizes = tuple(tuple(columns.vocabularies[name].size for name in key) for key in keys)
        block = cls(tuple(keys), sizes, goals.labels, np.zeros((0, len(goals.labels)), dtype=np.float32))
        prior = _Prior(goals.figures, folds)
        tables, matrices = [], []
        for key, size in zip(keys, sizes, strict=True):
            table, matrix = prior.estimate(block.key_codes(columns, key, size), int(np.prod(size)), smoothing)
            tables.append(table)
            matrices.append(matrix)
        table = np.concatenate(tables).astype(np.float32)
        return cls(tuple(keys), sizes, goals.labels, table), np.concatenate(matrices, axis=1).astype(np.float32)

    @staticmethod
    def key_codes(columns: Columns, key: tuple[str, ...], size: tuple[int, ...]) -> np.ndarray:
        """Return the code of each row's level of a key, shape (n,), int64."""
        codes = columns.codes(key[0])
        return codes if len(key) == 1 else codes * size[1] + columns.codes(key[1])

    @property
    def _starts(self) -> np.ndarray:
        """Where each key's levels begin in the table, int64."""
        lengths = [int(np.prod(size)) for size in self.sizes]
        return np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.int64)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, keys * outputs)."""
        indices = np.empty((columns.rows, len(self.keys)), dtype=np.int64)
        for place, (key, size) in enumerate(zip(self.keys, self.sizes, strict=True)):
            indices[:, place] = self.key_codes(columns, key, size)
        indices += self._starts
        matrix: np.ndarray = self.table[indices].reshape(columns.rows, len(self.keys) * len(self.labels))
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        do = Symbolic(columns.graph)
        names = tuple(dict.fromkeys(name for key in self.keys for name in key))
        indices = columns.codes(names)
        if any(len(key) > 1 for key in self.keys):
            weights = np.zeros((len(names), len(self.keys)), dtype=np.int64)
            for place, (key, size) in enumerate(zip(self.keys, self.sizes, strict=True)):
                weights[names.index(key[-1]), place] += 1
                if len(key) > 1:
                    weights[names.index(key[0]), place] += size[1]
            indices = do.binary("MatMul", indices, weights)
        if len(self.keys) > 1:
            indices = do.binary("Add", indices, self._starts)
        tensor: str = do.reshape(do.gather(self.table, indices), (-1, len(self.keys) * len(self.labels)))
        return tensor

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {
            "keys": [list(key) for key in self.keys],
            "labels": list(self.labels),
            "table": writer.put(self.table),
        }

    @classmethod
    def load(cls, reader: Reader) -> TargetEncoding:
        """Return the block that `save` wrote."""
        keys, labels = reader.lists("keys"), reader.texts("labels")
        if not keys or not labels or not all(len(key) in (1, 2) for key in keys):
            raise reader.wrong("'keys' must name one or two columns each")
        sizes = tuple(tuple(reader.vocabulary_size(name) for name in key) for key in keys)
        levels = sum(int(np.prod(size)) for size in sizes)
        return cls(keys, sizes, labels, reader.array("table", "float32", (levels, len(labels))))


class _Prior:
    """Means of the figures over all rows, and over all rows but those of each fold."""

    def __init__(self, figures: np.ndarray, folds: np.ndarray) -> None:
        self.figures, self.folds = figures, folds
        self.count = int(folds.max(initial=0)) + 1
        self.sums = np.stack([np.bincount(folds, one, self.count) for one in figures.T], axis=1)
        self.rows = np.bincount(folds, minlength=self.count)
        self.mean = self.sums.sum(axis=0) / max(1, len(folds))
        left = np.maximum(1, len(folds) - self.rows)[:, None]
        self.means = (self.sums.sum(axis=0) - self.sums) / left

    def estimate(self, codes: np.ndarray, levels: int, smoothing: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the estimates by level, and those of each row from the other folds."""
        cells = codes * self.count + self.folds
        size = levels * self.count
        counts = np.bincount(codes, minlength=levels).astype(np.float64)
        left = (counts[codes] - np.bincount(cells, minlength=size)[cells]) + smoothing
        table = np.empty((levels, self.figures.shape[1]))
        matrix = np.empty(self.figures.shape)
        for output, figure in enumerate(self.figures.T):
            sums = np.bincount(codes, figure, levels)
            table[:, output] = (sums + smoothing * self.mean[output]) / (counts + smoothing)
            others = sums[codes] - np.bincount(cells, figure, size)[cells]
            matrix[:, output] = (others + smoothing * self.means[self.folds, output]) / left
        return table, matrix
