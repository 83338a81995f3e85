"""How many values of the row are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic
from luban.modalities.tabular.columns import MISSING_DATE
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer


@dataclass(frozen=True)
class MissingCount:
    """The count over number (and boolean), category and date columns.

    Parameters
    ----------
    numbers, categories, dates : tuple of str
    codes : tuple of int
        The code of a missing value in each of `categories`.
    """

    kind: ClassVar[str] = "missing_count"
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    dates: tuple[str, ...]
    codes: tuple[int, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """One."""
        return (Feature(name="missing values", sources=(*self.numbers, *self.categories, *self.dates)),)

    @classmethod
    def fit(
        cls, columns: Columns, numbers: tuple[str, ...], categories: tuple[str, ...], dates: tuple[str, ...]
    ) -> tuple[MissingCount, np.ndarray]:
        """Return the block and the matrix of the training rows."""
        block = cls(numbers, categories, dates, tuple(columns.vocabularies[name].missing for name in categories))
        return block, block.transform(columns)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, 1)."""
        codes = [columns.codes(name)[:, None] for name in self.categories]
        matrix: np.ndarray = self._count(
            NUMERICAL,
            columns.numbers(self.numbers) if self.numbers else None,
            np.concatenate(codes, axis=1) if codes else None,
            columns.microseconds(self.dates) if self.dates else None,
        )
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        tensor: str = self._count(
            Symbolic(columns.graph),
            columns.numbers(self.numbers) if self.numbers else None,
            columns.codes(self.categories) if self.categories else None,
            columns.microseconds(self.dates) if self.dates else None,
        )
        return tensor

    def _count(self, do: Arithmetic, numbers: Any, codes: Any, dates: Any) -> Any:
        gaps = []
        if numbers is not None:
            gaps.append(do.unary("IsNaN", numbers))
        if codes is not None:
            gaps.append(do.binary("Equal", codes, np.array([self.codes], dtype=np.int64)))
        if dates is not None:
            gaps.append(do.binary("Equal", dates, np.array(MISSING_DATE, dtype=np.int64)))
        return do.reshape(do.total(do.cast(do.concatenate(gaps), "float32"), axis=1), (-1, 1))

    def save(self, writer: Writer) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the names."""
        return {"numbers": list(self.numbers), "categories": list(self.categories), "dates": list(self.dates)}

    @classmethod
    def load(cls, reader: Reader) -> MissingCount:
        """Return the block that `save` wrote."""
        numbers, categories, dates = (reader.texts(key) for key in ("numbers", "categories", "dates"))
        if not (numbers or categories or dates):
            raise reader.wrong("it counts no column")
        return cls(numbers, categories, dates, tuple(reader.vocabulary_size(name) - 1 for name in categories))
