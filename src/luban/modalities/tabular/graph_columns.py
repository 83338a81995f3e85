"""The columns of an ONNX graph's input as tensors; each is read once, however many encoders use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.modalities.tabular.columns import LARGEST
from luban.modalities.tabular.tokens import tokens_to_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Graph
    from luban.modalities.tabular.tokens import GraphTokens
    from luban.modalities.tabular.vocabulary import Vocabulary


class GraphColumns:
    """The twin of `Columns` in a graph.

    Parameters
    ----------
    graph : Graph
    vocabularies : mapping of str to Vocabulary
    booleans : collection of str
        The columns that hold ``"true"`` and ``"false"``.
    """

    def __init__(self, graph: Graph, vocabularies: Mapping[str, Vocabulary], booleans: frozenset[str]) -> None:
        self.graph = graph
        self.vocabularies = vocabularies
        self._booleans = booleans
        self._numbers: dict[tuple[str, ...], str] = {}
        self._tokens: dict[tuple[str, str], GraphTokens] = {}
        self._codes: dict[tuple[str, ...], str] = {}

    def numbers(self, names: Sequence[str]) -> str:
        """Return the tensor of number and boolean columns, shape (n, names), float32."""
        key = tuple(names)
        if key not in self._numbers:
            self._numbers[key] = self._part(self._numbers, key) or self._finite(key)
        return self._numbers[key]

    def codes(self, names: Sequence[str]) -> str:
        """Return the tensor of the codes of category columns, shape (n, names), int64."""
        key = tuple(names)
        if key not in self._codes:
            found = self._part(self._codes, key)
            if found is None:
                found = self.concatenate([self.vocabularies[name].to_graph(self.graph, name) for name in key])
            self._codes[key] = found
        return self._codes[key]

    def tokens(self, name: str, unit: str) -> GraphTokens:
        """Return the tensors of the tokens of a text column."""
        if (name, unit) not in self._tokens:
            self._tokens[name, unit] = tokens_to_graph(self.graph, name, unit)
        return self._tokens[name, unit]

    def microseconds(self, names: Sequence[str]) -> str:
        """Return the tensor of date columns, shape (n, names), int64."""
        return self.concatenate([self.graph.column(name) for name in names])

    def concatenate(self, tensors: Sequence[str]) -> str:
        """Return the tensors side by side."""
        if len(tensors) == 1:
            return tensors[0]
        tensor: str = self.graph.node("Concat", *tensors, axis=1)
        return tensor

    def _part(self, known: Mapping[tuple[str, ...], str], names: tuple[str, ...]) -> str | None:
        """Return the columns as a selection from a tensor that has them all already."""
        for have, tensor in known.items():
            if set(names) <= set(have):
                places = np.array([have.index(name) for name in names], dtype=np.int64)
                selected: str = self.graph.node("Gather", tensor, self.graph.constant(places), axis=1)
                return selected
        return None

    def _finite(self, names: tuple[str, ...]) -> str:
        tensors = [self._boolean(name) if name in self._booleans else self.graph.column(name) for name in names]
        limits = [self.graph.constant(np.array(limit, dtype=np.float32)) for limit in (-LARGEST, LARGEST)]
        tensor: str = self.graph.node("Clip", self.concatenate(tensors), *limits)
        return tensor

    def _boolean(self, name: str) -> str:
        tensor: str = self.graph.node(
            "LabelEncoder",
            self.graph.column(name),
            domain="ai.onnx.ml",
            keys_strings=["true", "false"],
            values_floats=[1.0, 0.0],
            default_float=float("nan"),
        )
        return tensor
