"""Input columns that cannot tell anything: constant ones, and second copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from luban.modalities.tabular.columns import Columns


def useless(
    columns: Columns, numbers: Sequence[str], categories: Sequence[str], dates: Sequence[str]
) -> frozenset[str]:
    """Return the names of the columns that have one value alone, or repeat a column before them.

    Parameters
    ----------
    numbers, categories, dates : sequence of str
        The columns to examine; text is taken as it comes.
    """
    found: set[str] = set()
    for names, values in _kinds(columns, numbers, categories, dates):
        seen: dict[bytes, list[np.ndarray]] = {}
        for name, column in zip(names, values, strict=True):
            copies = seen.setdefault(column[:: max(1, len(column) // 64)].tobytes(), [])
            if (column == column[:1]).all() or np.isnan(column).all() or any(_same(column, one) for one in copies):
                found.add(name)
            copies.append(column)
    return frozenset(found)


def _kinds(
    columns: Columns, numbers: Sequence[str], categories: Sequence[str], dates: Sequence[str]
) -> Iterator[tuple[Sequence[str], Iterator[np.ndarray]]]:
    if numbers:
        matrix = columns.numbers(numbers).T.copy()
        yield numbers, iter(matrix)
    yield categories, (columns.codes(name) for name in categories)
    if dates:
        yield dates, iter(columns.microseconds(dates).T.copy())


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.array_equal(left, right, equal_nan=True))
