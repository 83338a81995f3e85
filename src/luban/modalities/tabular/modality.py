"""The tabular modality: which columns it takes, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.data.describe import describe
from luban.data.infer import SAMPLE, infer_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.schema import Column

KINDS = ("number", "category", "boolean", "date")


class TabularModality:
    """Numbers, categories, booleans and dates; a modality of its own tells of text, though tables' learners take it."""

    def detect(self, name: str, values: pa.ChunkedArray) -> str | None:
        """Return the kind of column that these values are, or None for values that no table cell holds.

        The rule is that of `luban.data.infer`, so that a column has one kind wherever it is looked at.
        """
        kind = _infer(name, values).kind
        return kind if kind in KINDS else None

    def profile(self, name: str, values: pa.ChunkedArray) -> Mapping[str, Any]:
        """Return kind, rows, missing and distinct values, and the figures that belong to the kind."""
        column = _infer(name, values)
        sample = values
        if len(values) > SAMPLE:
            sample = values.take(pa.array(np.linspace(0, len(values) - 1, SAMPLE).astype(np.int64)))
        found = describe(column, values, sample)
        return {
            "kind": column.kind,
            "rows": len(values),
            "missing": found.missing,
            "distinct": found.distinct,
            **found.figures,
        }


def _infer(name: str, values: pa.ChunkedArray) -> Column:
    return infer_schema(pa.table({name: values})).columns[0]
