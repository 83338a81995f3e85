"""Blocks side by side, then maps one after another; a chain is itself a block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.feature import Feature
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Writer
    from luban.modalities.tabular.step import Block, Map


@dataclass(frozen=True)
class Chain:
    """The matrices of `blocks`, side by side, through `maps`."""

    kind: ClassVar[str] = "chain"
    blocks: tuple[Block, ...]
    maps: tuple[Map, ...]

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """What comes out at the end."""
        features: tuple[Feature, ...] = tuple(feature for block in self.blocks for feature in block.features)
        for one in self.maps:
            features = one.describe(features)
        return features

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, features)."""
        matrix = beside([block.transform(columns) for block in self.blocks])
        for one in self.maps:
            matrix = one.transform(matrix)
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        tensor = columns.concatenate([block.to_graph(columns) for block in self.blocks])
        for one in self.maps:
            tensor = one.to_graph(columns.graph, tensor)
        return tensor

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters of all parts."""
        return {
            "blocks": [{"kind": one.kind, **one.save(writer)} for one in self.blocks],
            "maps": [{"kind": one.kind, **one.save(writer)} for one in self.maps],
        }


def beside(matrices: list[np.ndarray]) -> np.ndarray:
    """Return matrices side by side; a single one as it is."""
    return matrices[0] if len(matrices) == 1 else np.concatenate(matrices, axis=1)
