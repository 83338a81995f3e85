"""How long the texts of columns are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.feature import Feature
from luban.modalities.tabular.tokens import UNITS, count_characters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class TextLengths:
    """The counts of characters and of tokens in columns `names`; what a token is, `unit` says."""

    kind: ClassVar[str] = "text_lengths"
    names: tuple[str, ...]
    unit: str

    @property
    def features(self) -> tuple[Feature, ...]:
        """Two a column."""
        return tuple(
            Feature(name=f"{name}.{what}", sources=(name,)) for name in self.names for what in ("characters", "tokens")
        )

    @classmethod
    def fit(cls, columns: Columns, names: tuple[str, ...], unit: str) -> tuple[TextLengths, np.ndarray]:
        """Return the block and the matrix of the training rows."""
        block = cls(names, unit)
        return block, block.transform(columns)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, 2 * names)."""
        matrix = np.empty((columns.rows, 2 * len(self.names)), dtype=np.float32)
        for place, name in enumerate(self.names):
            matrix[:, 2 * place] = count_characters(columns.values(name))
            matrix[:, 2 * place + 1] = np.diff(columns.tokens(name, self.unit).offsets)
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        tokens = [columns.tokens(name, self.unit) for name in self.names]
        return columns.concatenate([tensor for one in tokens for tensor in (one.characters, one.count)])

    def save(self, writer: Writer) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the names and the unit."""
        return {"names": list(self.names), "unit": self.unit}

    @classmethod
    def load(cls, reader: Reader) -> TextLengths:
        """Return the block that `save` wrote."""
        return cls(reader.texts("names"), reader.text("unit", UNITS))
