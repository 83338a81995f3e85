"""Quantiles that cover what they promise: shifted on rows that were not learnt from."""

from __future__ import annotations

import numpy as np


def fit_shifts(prediction: np.ndarray, target: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Return what to add to each quantile so that it covers its share of the rows, shape (Q,).

    Parameters
    ----------
    prediction : numpy.ndarray
        Out-of-fold quantiles, shape (n, Q).
    target : numpy.ndarray
        Shape (n,).
    levels : tuple of float
        The Q levels.

    Notes
    -----
    Romano, Patterson and Candès (2019), Conformalized quantile regression, each level by itself: the shift is the
    level's order statistic of true - predicted, placed among n + 1 so that coverage holds for a new row.
    """
    rows = len(target)
    gaps = np.sort(target[:, None] - prediction, axis=0)
    places = [min(rows, max(1, int(np.ceil((rows + 1) * level)))) - 1 for level in levels]
    return np.array([gaps[place, i] for i, place in enumerate(places)])
