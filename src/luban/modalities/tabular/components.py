"""Number-like features as their principal components.

Deviations and axes lie on the grids of `luban.modalities.tabular.grid`, so that NumPy and ONNX Runtime find the same
bits, whatever the order that they add in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic
from luban.modalities.tabular.columns import LARGEST
from luban.modalities.tabular.feature import Feature
from luban.modalities.tabular.grid import on_grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Graph
    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.payload import Reader, Writer

_AXIS_BITS = 20
_DEVIATION_BITS = 20
_MOST = 2.0**26
"""In steps. Sums are exact while the norm of a row is below 2^33 steps: that of 16,384 features at their limits."""


@dataclass(frozen=True)
class Components:
    """``(x - centre) @ axes`` (K. Pearson, "On lines and planes of closest fit", 1901).

    Parameters
    ----------
    centre : numpy.ndarray
        float32, shape (features,).
    step : numpy.ndarray
        The power of two that deviations from the centre are rounded to, about a millionth of the largest one in
        training; float64, shape (1,). What deviates by more than 2^26 steps, at least 64 times that one, is limited.
    axes : numpy.ndarray
        Multiples of 2^-20; float32, shape (features, components).
    """

    kind: ClassVar[str] = "components"
    centre: np.ndarray
    step: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray, count: int) -> Components:
        """Learn up to `count` axes of greatest variance; the largest entry of each is positive."""
        centre = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = matrix.astype(np.float64) - centre
        variances, vectors = np.linalg.eigh(centred.T @ centred)
        varied = variances[::-1][:count] > 1e-6 * variances[-1]  # the others are noise
        axes = vectors[:, ::-1][:, :count][:, varied]
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        _, exponent = np.frexp(np.abs(centred).max(initial=0.0))
        step = np.array([2.0 ** (int(exponent) - _DEVIATION_BITS)])
        return cls(centre, step, on_grid(axes * signs, _AXIS_BITS))

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
        deviations = do.binary("Sub", do.cast(values, "float64"), self.centre[None, :].astype(np.float64))
        steps = do.unary("Round", do.binary("Div", deviations, self.step[None, :]))
        steps = do.clip(steps, np.array(-_MOST), np.array(_MOST))
        product = do.binary("Mul", do.binary("MatMul", steps, self.axes.astype(np.float64)), self.step[None, :])
        return do.cast(do.clip(product, np.array(-float(LARGEST)), np.array(float(LARGEST))), "float32")

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"centre": writer.put(self.centre), "step": writer.put(self.step), "axes": writer.put(self.axes)}

    @classmethod
    def load(cls, reader: Reader) -> Components:
        """Return the map that `save` wrote."""
        centre = reader.array("centre", "float32", (None,))
        step = reader.array("step", "float64", (1,))
        if step[0] <= 0:
            raise reader.wrong("'step' must be positive")
        return cls(centre, step, reader.array("axes", "float32", (len(centre), None)))
