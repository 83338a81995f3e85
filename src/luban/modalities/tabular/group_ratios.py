"""Ratios of a number to its mean among the training rows of the same category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic
from luban.modalities.tabular.columns import LARGEST
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class GroupRatios:
    """A number column, a category column and its means by level a feature; a ratio to zero is missing.

    Parameters
    ----------
    numbers, categories : tuple of str
        Of each feature.
    tables : tuple of numpy.ndarray
        Means by code; float32, a level without a known number has the mean of all.
    """

    kind: ClassVar[str] = "group_ratios"
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    tables: tuple[np.ndarray, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """One a pair of columns."""
        return tuple(
            Feature(name=f"{number} / mean in {category}", sources=(number, category))
            for number, category in zip(self.numbers, self.categories, strict=True)
        )

    @classmethod
    def fit(cls, columns: Columns, pairs: Sequence[tuple[str, str]]) -> tuple[GroupRatios, np.ndarray]:
        """Return the block of these (number, category) columns and the matrix of the training rows."""
        tables = []
        for number, category in pairs:
            values = columns.numbers((number,))[:, 0].astype(np.float64)
            codes, size = columns.codes(category), columns.vocabularies[category].size
            known = ~np.isnan(values)
            counts = np.bincount(codes[known], minlength=size)
            sums = np.bincount(codes[known], values[known], size)
            overall = float(values[known].mean()) if known.any() else 0.0
            tables.append(np.where(counts > 0, sums / np.maximum(counts, 1), overall).astype(np.float32))
        block = cls(tuple(number for number, _ in pairs), tuple(category for _, category in pairs), tuple(tables))
        return block, block.transform(columns)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, pairs)."""
        codes = np.stack([columns.codes(name) for name in self.categories], axis=1)
        matrix: np.ndarray = self._apply(NUMERICAL, columns.numbers(self.numbers), codes)
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        numbers, codes = columns.numbers(self.numbers), columns.codes(self.categories)
        tensor: str = self._apply(Symbolic(columns.graph), numbers, codes)
        return tensor

    def _apply(self, do: Arithmetic, numbers: Any, codes: Any) -> Any:
        starts = np.cumsum([0, *(len(table) for table in self.tables[:-1])]).astype(np.int64)
        means = do.gather(np.concatenate(self.tables), do.binary("Add", codes, starts[None, :]))
        zero = do.binary("Equal", means, np.array(0, dtype=np.float32))
        ratio = do.where(zero, np.array(np.nan, dtype=np.float32), do.binary("Div", numbers, means))
        return do.clip(ratio, np.array(-LARGEST), np.array(LARGEST))

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {
            "numbers": list(self.numbers),
            "categories": list(self.categories),
            "table": writer.put(np.concatenate(self.tables)),
        }

    @classmethod
    def load(cls, reader: Reader) -> GroupRatios:
        """Return the block that `save` wrote."""
        numbers, categories = reader.texts("numbers"), reader.texts("categories")
        if not numbers or len(numbers) != len(categories):
            raise reader.wrong("'numbers' does not fit 'categories'")
        sizes = [reader.vocabulary_size(name) for name in categories]
        table = reader.array("table", "float32", (sum(sizes),))
        return cls(numbers, categories, tuple(np.split(table, np.cumsum(sizes)[:-1])))
