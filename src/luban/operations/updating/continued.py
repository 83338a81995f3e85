"""Rows that a file brings again: those that a champion, or what came before it, has learnt from are no news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.operations.updating.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

_CONTINUED = 0.9  # a file that holds so much of what a fit learnt from is its continuation
_TELLING = 0.9  # where so many rows have no equal among them, equal rows are the same ones


def news(given: Rows, pools: Sequence[Rows]) -> Rows | None:
    """Return the rows of a file that nothing was learnt from; None where it holds none of the others.

    What was learnt at one time, the rows of a fit or the new ones of an update, is looked for by what the rows hold.
    Where many of them are equal, as answers to a few questions are, another file may have the same by chance: then only
    one that holds nearly all rows of the fit is taken for its continuation. A row that repeats is one each time.

    Parameters
    ----------
    pools : sequence of Rows
        All rows that each version of the line of champions had to learn from, the oldest first.
    """
    import numpy as np
    import pyarrow as pa

    there = keys(given)
    offered = _counted(there)
    seen: dict[int, int] = {}
    left: dict[int, int] = {}
    for place, pool in enumerate(pools):
        counts = _counted(keys(pool))
        step = {key: count - seen.get(key, 0) for key, count in counts.items() if count > seen.get(key, 0)}
        if _again(step, offered, first=place == 0):
            left = {key: left.get(key, 0) + step.get(key, 0) for key in {*left, *step}}
        seen = {key: max(seen.get(key, 0), counts.get(key, 0)) for key in {*seen, *counts}}
    new = []
    for place, key in enumerate(there):
        if left.get(key, 0):
            left[key] -= 1
        else:
            new.append(place)
    if len(new) == len(given):
        return None
    places = np.array(new, dtype=np.int64)
    return Rows(table=given.table.take(pa.array(places)), target=given.target[places])


def _again(step: Mapping[int, int], offered: Mapping[int, int], *, first: bool) -> bool:
    """Return whether rows equal to those that were learnt from at one time are the same ones."""
    total = sum(step.values())
    if sum(1 for count in step.values() if count == 1) >= _TELLING * total:
        return True
    return first and sum(min(count, offered.get(key, 0)) for key, count in step.items()) >= _CONTINUED * total


def _counted(found: Sequence[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for key in found:
        counts[key] = counts.get(key, 0) + 1
    return counts


def keys(rows: Rows) -> list[int]:
    """Return a number for each row, equal for equal rows, wherever files that they name may lie."""
    import pandas as pd

    from luban.data.media.carried import identified

    frame = identified(rows.table).to_pandas().assign(**{"": _written(rows.target)})
    found: list[int] = pd.util.hash_pandas_object(frame, index=False).tolist()
    return found


def _written(target: np.ndarray) -> np.ndarray | list[str]:
    """Return one value a row; of several labels a text, which does not depend on how long other rows are."""
    if target.ndim == 1:
        return target
    return [" ".join(map(str, row[: 1 + max((*row.nonzero()[0], -1))])) for row in target + 1]
