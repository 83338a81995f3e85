"""Number-like features made fit for linear models and nets: imputed, with indicators, on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Graph
    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class Imputed:
    """Missing values become the median of training; where that had any, a 0/1 feature says so.

    Parameters
    ----------
    fill : numpy.ndarray
        float32, shape (features,).
    gaps : numpy.ndarray
        The features that get an indicator; int64.
    """

    kind: ClassVar[str] = "imputed"
    fill: np.ndarray
    gaps: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray, *, indicators: bool) -> Imputed:
        """Learn medians; a feature that is always missing is filled with 0."""
        missing = np.isnan(matrix).any(axis=0)
        fill = np.zeros(matrix.shape[1], dtype=np.float32)
        for place in range(matrix.shape[1]):
            known = matrix[:, place][~np.isnan(matrix[:, place])] if missing[place] else matrix[:, place]
            if len(known):
                fill[place] = np.partition(known, (len(known) - 1) // 2)[(len(known) - 1) // 2]
        return cls(fill, np.flatnonzero(missing & indicators).astype(np.int64))

    def describe(self, features: Sequence[Feature]) -> tuple[Feature, ...]:
        """Return the features, then the indicators."""
        marks = (features[place] for place in self.gaps.tolist())
        return (*features, *(Feature(name=f"missing[{one.name}]", sources=one.sources) for one in marks))

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the imputed matrix with the indicators."""
        result: np.ndarray = self._apply(NUMERICAL, matrix)
        return result

    def to_graph(self, graph: Graph, tensor: str) -> str:
        """Return the tensor of the imputed matrix with the indicators."""
        result: str = self._apply(Symbolic(graph), tensor)
        return result

    def _apply(self, do: Arithmetic, values: Any) -> Any:
        missing = do.unary("IsNaN", values)
        filled = do.where(missing, self.fill[None, :], values)
        if not len(self.gaps):
            return filled
        return do.concatenate([filled, do.cast(do.gather(missing, self.gaps, axis=1), "float32")])

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"fill": writer.put(self.fill), "gaps": writer.put(self.gaps)}

    @classmethod
    def load(cls, reader: Reader) -> Imputed:
        """Return the map that `save` wrote."""
        fill = reader.array("fill", "float32", (None,))
        return cls(fill, reader.indices("gaps", (None,), len(fill)))


@dataclass(frozen=True)
class Scaled:
    """``(x - centre) * factor``, then where `smooth` ``x / sqrt(1 + (x / 3)^2)``, which stays within +-3.

    The smooth clip is that of D. Holzmueller et al., "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
    Tabular Data", NeurIPS 2024.

    Parameters
    ----------
    centre, factor : numpy.ndarray
        float32, shape (features,).
    """

    kind: ClassVar[str] = "scaled"
    centre: np.ndarray
    factor: np.ndarray
    smooth: bool

    @classmethod
    def standard(cls, matrix: np.ndarray) -> Scaled:
        """Learn mean and standard deviation."""
        centre = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = matrix.std(axis=0, dtype=np.float64)
        return cls(centre, _inverse(spread), smooth=False)

    @classmethod
    def together(cls, matrix: np.ndarray) -> Scaled:
        """Learn means and one common factor, so that the features keep their sizes among each other."""
        centre = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = np.full(matrix.shape[1], matrix.std(axis=0, dtype=np.float64).max(initial=0))
        return cls(centre, _inverse(spread), smooth=False)

    @classmethod
    def robust(cls, matrix: np.ndarray) -> Scaled:
        """Learn median and distance of the quartiles; where that is nothing, half the range."""
        low, first, middle, third, high = np.quantile(matrix.astype(np.float64), [0, 0.25, 0.5, 0.75, 1], axis=0)
        spread = np.where(third > first, third - first, (high - low) / 2)
        return cls(middle.astype(np.float32), _inverse(spread), smooth=True)

    def describe(self, features: Sequence[Feature]) -> tuple[Feature, ...]:
        """Return the same features."""
        return tuple(features)

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the scaled matrix."""
        result: np.ndarray = self._apply(NUMERICAL, matrix)
        return result

    def to_graph(self, graph: Graph, tensor: str) -> str:
        """Return the tensor of the scaled matrix."""
        result: str = self._apply(Symbolic(graph), tensor)
        return result

    def _apply(self, do: Arithmetic, values: Any) -> Any:
        values = do.binary("Mul", do.binary("Sub", values, self.centre[None, :]), self.factor[None, :])
        # Beyond this a value says no more, and its square would be infinite.
        limit = np.array(1e6 if self.smooth else 1e3, dtype=np.float32)
        values = do.clip(values, -limit, limit)
        if not self.smooth:
            return values
        third = do.binary("Mul", values, np.array(1 / 3, dtype=np.float32))
        square = do.binary("Add", do.binary("Mul", third, third), np.array(1, dtype=np.float32))
        return do.binary("Div", values, do.unary("Sqrt", square))

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"centre": writer.put(self.centre), "factor": writer.put(self.factor), "smooth": self.smooth}

    @classmethod
    def load(cls, reader: Reader) -> Scaled:
        """Return the map that `save` wrote."""
        centre = reader.array("centre", "float32", (None,))
        return cls(centre, reader.array("factor", "float32", (len(centre),)), reader.flag("smooth"))


def _inverse(spread: np.ndarray) -> np.ndarray:
    """Return 1 / spread as float32, 1 where there is none and never infinite."""
    with np.errstate(divide="ignore"):
        factor = np.where(spread > 1e-30, 1 / spread, 1.0)
    return factor.astype(np.float32)
