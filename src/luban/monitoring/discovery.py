"""Many tests at once: how many false alarms a window may raise."""

from __future__ import annotations

import numpy as np


def adjusted(chances: np.ndarray) -> np.ndarray:
    """Return p-values adjusted for the false discovery rate (Benjamini and Hochberg 1995).

    To call everything at or below q a discovery keeps the expected share of false ones among them at q; where nothing
    at all has changed, the chance of a single false alarm is at most q.

    Parameters
    ----------
    chances : numpy.ndarray
        p-values, shape (n,).

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, 0.03, 0.5])).round(3).tolist()
    [0.04, 0.053, 0.053, 0.5]
    """
    count = len(chances)
    order = np.argsort(chances)
    raised = chances[order] * count / np.arange(1, count + 1)
    found = np.empty(count)
    found[order] = np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1])
    return found
