"""Whether a file continues another: it holds the old rows too, which are no news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.operations.updating.rows import Rows

if TYPE_CHECKING:
    import numpy as np

_CONTINUED = 0.9  # a file that holds so much of what was learnt from is its continuation


def news(given: Rows, known: Rows) -> Rows | None:
    """Return the rows of a file that are not among those known, where it holds nearly all of these; else None."""
    import numpy as np
    import pyarrow as pa

    before = _counts(known)
    left = dict(before)
    new = []
    for place, key in enumerate(keys(given)):
        if left.get(key, 0):
            left[key] -= 1
        else:
            new.append(place)
    found = sum(before.values()) - sum(left.values())
    if found < _CONTINUED * max(1, len(known)):
        return None
    places = np.array(new, dtype=np.int64)
    return Rows(table=given.table.take(pa.array(places)), target=given.target[places])


def _counts(rows: Rows) -> dict[int, int]:
    counts: dict[int, int] = {}
    for key in keys(rows):
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
