"""Number-like features as their principal components."""

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
class Components:
    """``(x - centre) @ axes`` (K. Pearson, "On lines and planes of closest fit", 1901).

    Parameters
    ----------
    centre : numpy.ndarray
        float32, shape (features,).
    axes : numpy.ndarray
        float32, shape (features, components).
    """

    kind: ClassVar[str] = "components"
    centre: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray, count: int) -> Components:
        """Learn up to `count` axes of greatest variance; the largest entry of each is positive."""
        centre = matrix.mean(axis=0, dtype=np.float64)
        centred = matrix.astype(np.float64) - centre
        variances, vectors = np.linalg.eigh(centred.T @ centred)
        varied = variances[::-1][:count] > 1e-6 * variances[-1]  # the others are noise
        axes = vectors[:, ::-1][:, :count][:, varied]
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        return cls(centre.astype(np.float32), np.ascontiguousarray(axes * signs, dtype=np.float32))

    def describe(self, features: Sequence[Feature]) -> tuple[Feature, ...]:
        """Return the components, each from all the sources."""
        sources = tuple(dict.fromkeys(source for feature in features for source in feature.sources))
        return tuple(Feature(name=f"component_{i}", sources=sources) for i in range(self.axes.shape[1]))

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the components."""
        result: np.ndarray = self._apply(NUMERICAL, matrix)
        return result

    def to_graph(self, graph: Graph, tensor: str) -> str:
        """Return the tensor of the components."""
        result: str = self._apply(Symbolic(graph), tensor)
        return result

    def _apply(self, do: Arithmetic, values: Any) -> Any:
        return do.binary("MatMul", do.binary("Sub", values, self.centre[None, :]), self.axes)

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"centre": writer.put(self.centre), "axes": writer.put(self.axes)}

    @classmethod
    def load(cls, reader: Reader) -> Components:
        """Return the map that `save` wrote."""
        centre = reader.array("centre", "float32", (None,))
        return cls(centre, reader.array("axes", "float32", (len(centre), None)))
