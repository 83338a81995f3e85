"""Number-like features as normal scores of their quantiles: far outliers and skew lose their force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Graph
    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.feature import Feature
    from luban.modalities.tabular.payload import Reader, Writer

SIDE = 10  # knots lie in SIDE buckets of SIDE, so that 2 * SIDE comparisons find the place of a value
KNOTS = SIDE * SIDE
_FARTHEST = np.float32(1e37)  # the distance of two such values is still a float32
_BEYOND = np.finfo(np.float32).max
_CHUNK = 4_000_000  # cells that are transformed at once


@dataclass(frozen=True)
class Quantiles:
    """Piecewise linear through (knot, normal score), constant outside.

    Parameters
    ----------
    knots : numpy.ndarray
        float32, shape (features, KNOTS), ascending; unused places hold the largest float32.
    scores, slopes : numpy.ndarray
        At each knot, and from it to the next one; float32, same shape.
    """

    kind: ClassVar[str] = "quantiles"
    knots: np.ndarray
    scores: np.ndarray
    slopes: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray) -> Quantiles:
        """Learn the knots of a matrix without NaN; a score is that of the middle rank of equal values."""
        from scipy.special import ndtri

        shape = (matrix.shape[1], KNOTS)
        knots = np.full(shape, _BEYOND, dtype=np.float32)
        scores, slopes = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        for place in range(matrix.shape[1]):
            values, counts = np.unique(np.clip(matrix[:, place], -_FARTHEST, _FARTHEST), return_counts=True)
            ends = np.cumsum(counts)
            ranks = (ends - counts / 2) / ends[-1]
            if len(values) > KNOTS:
                chosen = np.unique(np.searchsorted(ranks, np.linspace(ranks[0], ranks[-1], KNOTS)))
                values, ranks = values[chosen], ranks[chosen]
            score = ndtri(ranks)
            used = len(values)
            knots[place, :used] = values
            scores[place, :used] = score
            with np.errstate(over="ignore"):
                steep = np.diff(score) / np.diff(values.astype(np.float64))
            slopes[place, : used - 1] = np.minimum(steep, _BEYOND)
        return cls(knots, scores, slopes)

    def describe(self, features: Sequence[Feature]) -> tuple[Feature, ...]:
        """Return the same features."""
        return tuple(features)

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the scores."""
        rows = max(1, _CHUNK // max(1, matrix.shape[1]))
        chunks = [self._apply(NUMERICAL, matrix[start : start + rows]) for start in range(0, len(matrix), rows)]
        return np.concatenate(chunks) if chunks else matrix

    def to_graph(self, graph: Graph, tensor: str) -> str:
        """Return the tensor of the scores."""
        result: str = self._apply(Symbolic(graph), tensor)
        return result

    def _apply(self, do: Arithmetic, values: Any) -> Any:
        features = len(self.knots)
        last = np.where(self.knots < _BEYOND, self.knots, -_BEYOND).max(axis=1)
        values = do.binary("Min", do.binary("Max", values, self.knots[None, :, 0]), last[None, :])
        cube = do.reshape(values, (-1, features, 1))

        def rank(among: Any) -> Any:
            return do.total(do.cast(do.binary("GreaterOrEqual", cube, among), "int64"), axis=2)

        starts = np.arange(features, dtype=np.int64) * SIDE - 1  # the rank counts from 1
        bucket = do.binary("Add", rank(self.knots[None, :, ::SIDE]), starts[None, :])
        inside = rank(do.gather(self.knots.reshape(-1, SIDE), bucket))
        place = do.binary("Add", do.binary("Mul", bucket, np.array(SIDE)), do.binary("Sub", inside, np.array(1)))
        beyond = do.binary("Sub", values, do.gather(self.knots.reshape(-1), place))
        rise = do.binary("Mul", beyond, do.gather(self.slopes.reshape(-1), place))
        return do.binary("Add", do.gather(self.scores.reshape(-1), place), rise)

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"knots": writer.put(self.knots), "scores": writer.put(self.scores), "slopes": writer.put(self.slopes)}

    @classmethod
    def load(cls, reader: Reader) -> Quantiles:
        """Return the map that `save` wrote."""
        knots = reader.array("knots", "float32", (None, KNOTS))
        if (knots[:, 1:] < knots[:, :-1]).any() or (knots[:, 0] == _BEYOND).any():
            raise reader.wrong("'knots' must ascend")
        return cls(
            knots, reader.array("scores", "float32", knots.shape), reader.array("slopes", "float32", knots.shape)
        )
