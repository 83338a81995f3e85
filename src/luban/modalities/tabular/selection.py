"""A choice among the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import Symbolic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Graph
    from luban.modalities.tabular.feature import Feature
    from luban.modalities.tabular.payload import Reader, Writer

_BLOCK = 256  # features that are ranked at once


@dataclass(frozen=True)
class Selected:
    """The features at `places` (int64, ascending) of `width`."""

    kind: ClassVar[str] = "selected"
    places: np.ndarray
    width: int

    @classmethod
    def by_rank_correlation(
        cls, matrix: np.ndarray, features: Sequence[Feature], figures: np.ndarray, count: int
    ) -> Selected:
        """Return the choice of the `count` features of highest rank correlation with the target (C. Spearman, 1904).

        Category codes have no order and are all kept.
        """
        from scipy.stats import rankdata

        goals = _unit(rankdata(figures, axis=0))
        scores = np.empty(matrix.shape[1])
        for start in range(0, matrix.shape[1], _BLOCK):
            part = matrix[:, start : start + _BLOCK].astype(np.float64)
            gaps = np.isnan(part)
            ranks = rankdata(np.where(gaps, -np.inf, part), axis=0)
            middle = (gaps.sum(axis=0) + len(part) + 1) / 2  # the mean rank of the known values
            ranks = np.where(gaps, middle, ranks)
            scores[start : start + _BLOCK] = np.abs(_unit(ranks).T @ goals).max(axis=1)
        scores[[i for i, feature in enumerate(features) if feature.cardinality]] = np.inf
        best = np.argsort(-scores, kind="stable")[:count]
        return cls(np.sort(best).astype(np.int64), matrix.shape[1])

    def describe(self, features: Sequence[Feature]) -> tuple[Feature, ...]:
        """Return the features that are kept."""
        return tuple(features[place] for place in self.places.tolist())

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the kept columns."""
        return matrix[:, self.places]

    def to_graph(self, graph: Graph, tensor: str) -> str:
        """Return the tensor of the kept columns."""
        kept: str = Symbolic(graph).gather(tensor, self.places, axis=1)
        return kept

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"places": writer.put(self.places), "width": self.width}

    @classmethod
    def load(cls, reader: Reader) -> Selected:
        """Return the map that `save` wrote."""
        width = reader.whole("width", 1)
        return cls(reader.indices("places", (None,), width), width)


def _unit(ranks: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and length 1; a constant one is all 0."""
    centred = ranks - ranks.mean(axis=0)
    lengths = np.sqrt((centred * centred).sum(axis=0))
    result: np.ndarray = centred / np.where(lengths > 0, lengths, 1)
    return result
