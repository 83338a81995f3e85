"""Category columns as the share of training rows that have the level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import Symbolic
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class Frequency:
    """Share of the rows by level; `tables` holds one for each of `names`, float32."""

    kind: ClassVar[str] = "frequency"
    names: tuple[str, ...]
    tables: tuple[np.ndarray, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a column."""
        return tuple(Feature(name=f"share[{name}]", sources=(name,)) for name in self.names)

    @classmethod
    def fit(cls, columns: Columns, names: tuple[str, ...]) -> tuple[Frequency, np.ndarray]:
        """Return the block and the matrix of the training rows.

        The code that rare and unseen levels share has the share of one such row: the least there is.
        """
        tables = []
        for name in names:
            vocabulary = columns.vocabularies[name]
            counts = np.bincount(columns.codes(name), minlength=vocabulary.size)
            counts[vocabulary.other] = min(1, counts[vocabulary.other])
            tables.append((counts / max(1, columns.rows)).astype(np.float32))
        block = cls(names, tuple(tables))
        return block, block.transform(columns)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, names)."""
        matrix = np.empty((columns.rows, len(self.names)), dtype=np.float32)
        for place, (name, table) in enumerate(zip(self.names, self.tables, strict=True)):
            matrix[:, place] = table[columns.codes(name)]
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        do = Symbolic(columns.graph)
        starts = np.cumsum([0, *(len(table) for table in self.tables[:-1])])
        indices = columns.codes(self.names)
        if len(self.names) > 1:
            indices = do.binary("Add", indices, starts)
        tensor: str = do.gather(np.concatenate(self.tables), indices)
        return tensor

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"names": list(self.names), "table": writer.put(np.concatenate(self.tables))}

    @classmethod
    def load(cls, reader: Reader) -> Frequency:
        """Return the block that `save` wrote."""
        names = reader.texts("names")
        sizes = [reader.vocabulary_size(name) for name in names]
        table = reader.array("table", "float32", (sum(sizes),))
        return cls(names, tuple(np.split(table, np.cumsum(sizes)[:-1])))
