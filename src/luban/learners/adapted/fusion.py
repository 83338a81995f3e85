"""The small network that joins modalities, in NumPy and as ONNX nodes; PyTorch only trains it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from luban.learners.payloads import Arrays, write_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.protocols import Graph

_FILE = "fusion.npz"
# A vector nearer than this to that of a missing value is one.
_NEAR = 1e-2


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the modalities make of n rows.

    Parameters
    ----------
    names : tuple of str
    blocks : tuple of numpy.ndarray
        float32, shape (n, width) each.
    blanks : tuple of numpy.ndarray or None
        What a block is, shape (width,), where the modality is missing; None where it never is.
    """

    names: tuple[str, ...]
    blocks: tuple[np.ndarray, ...]
    blanks: tuple[np.ndarray | None, ...]

    @property
    def present(self) -> np.ndarray:
        """Where each modality is there, float32 of shape (n, modalities)."""
        flags = [
            np.ones(len(block)) if blank is None else np.abs(block - blank).max(axis=1) > _NEAR
            for block, blank in zip(self.blocks, self.blanks, strict=True)
        ]
        return np.stack(flags, axis=1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """A projection with ReLU for each modality, 0 where it is missing, and two layers over all of them.

    Parameters
    ----------
    projections : tuple of (numpy.ndarray, numpy.ndarray)
        Weights (width, hidden) and biases (hidden,) of each modality, float32.
    layers : tuple of (numpy.ndarray, numpy.ndarray)
        Those of what follows; ReLU between them.
    centre, spread : numpy.ndarray
        Shape (outputs,): what turns outputs into the target's units.
    """

    names: tuple[str, ...]
    blanks: tuple[np.ndarray | None, ...]
    projections: tuple[tuple[np.ndarray, np.ndarray], ...]
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    centre: np.ndarray
    spread: np.ndarray

    def margins(self, inputs: Inputs) -> np.ndarray:
        """Return the margins, shape (n, outputs)."""
        return self._joined(self._projected(inputs), inputs.present)

    def shapley(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, modalities, outputs) and (outputs,): exact over all sets of modalities."""
        nothing = np.zeros((1, len(self.names)), dtype=np.float32)
        parts = self._projected(inputs)
        base = self._joined([part[:1] for part in parts], nothing)[0] if len(inputs.present) else self.centre
        return self.shapley_of(inputs, lambda margins: margins), base

    def shapley_of(self, inputs: Inputs, told: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return Shapley values of what `told` makes of margins, shape (n, modalities, ...).

        Parameters
        ----------
        told : callable
            From margins, shape (n, outputs), to what is shared out, shape (n, ...).
        """
        parts, present, count = self._projected(inputs), inputs.present, len(self.names)
        worth: dict[frozenset[int], np.ndarray] = {}
        for size in range(count + 1):
            for members in combinations(range(count), size):
                mask = np.zeros((1, count), dtype=np.float32)
                mask[0, list(members)] = 1.0
                worth[frozenset(members)] = told(self._joined(parts, present * mask))
        values = np.zeros((len(present), count, *worth[frozenset()].shape[1:]))
        for one in range(count):
            for others, value in worth.items():
                if one not in others:
                    share = factorial(len(others)) * factorial(count - len(others) - 1) / factorial(count)
                    values[:, one] += share * (worth[others | {one}] - value)
        return values

    def _projected(self, inputs: Inputs) -> list[np.ndarray]:
        return [
            np.maximum(block @ weights + bias, 0.0)
            for block, (weights, bias) in zip(inputs.blocks, self.projections, strict=True)
        ]

    def _joined(self, parts: Sequence[np.ndarray], present: np.ndarray) -> np.ndarray:
        values = np.concatenate([part * present[:, [place]] for place, part in enumerate(parts)], axis=1)
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, 0.0)
        weights, bias = self.layers[-1]
        return np.asarray((values @ weights + bias).astype(np.float64) * self.spread + self.centre)

    def save(self) -> Mapping[str, bytes]:
        """Return the weights."""
        arrays: dict[str, np.ndarray] = {"centre": self.centre, "spread": self.spread}
        for kind, pairs in (("projection", self.projections), ("layer", self.layers)):
            for place, (weights, bias) in enumerate(pairs):
                arrays[f"{kind}_weights{place}"], arrays[f"{kind}_bias{place}"] = weights, bias
        return {_FILE: write_arrays(**arrays)}

    @classmethod
    def load(
        cls, payloads: Mapping[str, bytes], blocks: Sequence[tuple[str, int, np.ndarray | None]], outputs: int
    ) -> Fusion:
        """Return what `save` wrote.

        Parameters
        ----------
        blocks : sequence of (str, int, numpy.ndarray or None)
            Name, width and blank of each modality.
        """
        arrays = Arrays(payloads, _FILE)
        projections: list[tuple[np.ndarray, np.ndarray]] = []
        for place, (_, width, _) in enumerate(blocks):
            weights = arrays.take(f"projection_weights{place}", "float32", (width, None))
            projections.append((weights, arrays.take(f"projection_bias{place}", "float32", (weights.shape[1],))))
        inner = arrays.take("layer_weights0", "float32", (sum(one.shape[1] for one, _ in projections), None))
        outer = arrays.take("layer_weights1", "float32", (inner.shape[1], outputs))
        layers = tuple(
            (weights, arrays.take(f"layer_bias{place}", "float32", (weights.shape[1],)))
            for place, weights in enumerate((inner, outer))
        )
        return cls(
            names=tuple(name for name, _, _ in blocks),
            blanks=tuple(blank for _, _, blank in blocks),
            projections=tuple(projections),
            layers=layers,
            centre=arrays.take("centre", "float64", (outputs,)),
            spread=arrays.take("spread", "float64", (outputs,)),
        )

    def to_graph(self, graph: Graph, blocks: Sequence[str]) -> str:
        """Add the network; the result has shape (n, outputs)."""
        parts = []
        for block, blank, (weights, bias) in zip(blocks, self.blanks, self.projections, strict=True):
            part = graph.node("Relu", graph.node("Gemm", block, graph.constant(weights), graph.constant(bias)))
            if blank is not None:
                away = graph.node("Abs", graph.node("Sub", block, graph.constant(blank[None].astype(np.float32))))
                axes = graph.constant(np.array([1], dtype=np.int64))
                far = graph.node("ReduceMax", away, axes, keepdims=1)
                near = graph.constant(np.array(_NEAR, dtype=np.float32))
                part = graph.node("Mul", part, graph.node("Cast", graph.node("Greater", far, near), to=1))
            parts.append(part)
        tensor: str = graph.node("Concat", *parts, axis=1)
        for place, (weights, bias) in enumerate(self.layers):
            tensor = graph.node("Gemm", tensor, graph.constant(weights), graph.constant(bias))
            if place < len(self.layers) - 1:
                tensor = graph.node("Relu", tensor)
        spread, centre = (graph.constant(one[None].astype(np.float32)) for one in (self.spread, self.centre))
        scaled: str = graph.node("Add", graph.node("Mul", tensor, spread), centre)
        return scaled
