"""Category columns as integer codes, for learners that split on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer

FLOAT = 1  # TensorProto.FLOAT


@dataclass(frozen=True)
class Codes:
    """The codes of columns `names` as `Vocabulary` gives them; `sizes` says how many there are in each."""

    kind: ClassVar[str] = "codes"
    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a column, with its cardinality."""
        return tuple(
            Feature(name=name, sources=(name,), cardinality=size)
            for name, size in zip(self.names, self.sizes, strict=True)
        )

    @classmethod
    def fit(cls, columns: Columns, names: tuple[str, ...]) -> tuple[Codes, np.ndarray]:
        """Return the block and the matrix of the training rows."""
        block = cls(names, tuple(columns.vocabularies[name].size for name in names))
        return block, block.transform(columns)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, names)."""
        matrix = np.empty((columns.rows, len(self.names)), dtype=np.float32)
        for place, name in enumerate(self.names):
            matrix[:, place] = columns.codes(name)
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        tensor: str = columns.graph.node("Cast", columns.codes(self.names), to=FLOAT)
        return tensor

    def save(self, writer: Writer) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the names; the sizes are those of the vocabularies."""
        return {"names": list(self.names)}

    @classmethod
    def load(cls, reader: Reader) -> Codes:
        """Return the block that `save` wrote."""
        names = reader.texts("names")
        return cls(names, tuple(reader.vocabulary_size(name) for name in names))
