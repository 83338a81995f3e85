"""The two kinds of encoder: a block reads columns, a map turns one matrix into another.

Each knows two ways to do its work, `transform` with NumPy and `to_graph` with ONNX nodes, and both do the same
operations on the same float32 or int64 values in the same order, so that their results agree to the bit wherever
no sum is involved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from luban.core.protocols import Graph
    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.feature import Feature
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Writer


class Block(Protocol):
    """From the columns of a table to a float32 matrix."""

    kind: ClassVar[str]

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns of the matrix."""

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, features), float32."""

    def to_graph(self, columns: GraphColumns) -> str:
        """Add the nodes and return the tensor of the matrix."""

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters as JSON values; arrays go to `writer`."""


class Map(Protocol):
    """From a float32 matrix to a float32 matrix."""

    kind: ClassVar[str]

    def describe(self, features: Sequence[Feature]) -> tuple[Feature, ...]:
        """Return the features that come out where these go in."""

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the new matrix; the old one may be overwritten."""

    def to_graph(self, graph: Graph, tensor: str) -> str:
        """Add the nodes and return the tensor of the new matrix."""

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters as JSON values; arrays go to `writer`."""
