"""Number and boolean columns as they are, NaN where missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class Numbers:
    """Columns `names`, cast to float32 (beyond its range: its largest value)."""

    kind: ClassVar[str] = "numbers"
    names: tuple[str, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a column."""
        return tuple(Feature(name=name, sources=(name,)) for name in self.names)

    @classmethod
    def fit(cls, columns: Columns, names: tuple[str, ...]) -> tuple[Numbers, np.ndarray]:
        """Return the block and the matrix of the training rows."""
        return cls(names), columns.numbers(names)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, names)."""
        return columns.numbers(self.names)

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        return columns.numbers(self.names)

    def save(self, writer: Writer) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the names."""
        return {"names": list(self.names)}

    @classmethod
    def load(cls, reader: Reader) -> Numbers:
        """Return the block that `save` wrote."""
        return cls(reader.texts("names"))
