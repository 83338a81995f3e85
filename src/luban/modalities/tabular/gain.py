"""How much a feature tells of the target, by itself and quickly: the share of variance between its groups."""

from __future__ import annotations

import numpy as np

SAMPLE = 10_000  # rows that choices are made on
_BINS = 32


def gain_of_groups(groups: np.ndarray, figures: np.ndarray) -> float:
    """Return the share of the figures' variance that lies between groups, less what chance would give.

    Parameters
    ----------
    groups : numpy.ndarray
        Non-negative whole numbers, shape (n,).
    figures : numpy.ndarray
        float64, shape (n, outputs), each of mean zero; the gain is the mean over the outputs.
    """
    groups = np.unique(groups, return_inverse=True)[1] if groups.max(initial=0) > 4 * len(groups) else groups
    counts = np.bincount(groups)
    present = counts > 0
    rows, kinds = len(groups), int(present.sum())
    shares = []
    for figure in figures.T:
        total = float(figure @ figure)
        sums = np.bincount(groups, figure, len(counts))[present]
        between = float((sums * sums / counts[present]).sum())
        shares.append(between / total if total > 0 else 0.0)
    share = float(np.mean(shares))
    return share - (1 - share) * (kinds - 1) / max(1, rows - kinds)


def bins(values: np.ndarray) -> np.ndarray:
    """Return the quantile bin of each number, shape (n,); missing values have their own."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return np.zeros(len(values), dtype=np.int64)
    edges = np.unique(known[np.linspace(0, len(known) - 1, _BINS + 1).astype(np.int64)[1:-1]])
    groups = np.searchsorted(edges, values, side="right")  # NaN sorts last
    return np.where(np.isnan(values), len(edges) + 1, groups)


def gains(matrix: np.ndarray, figures: np.ndarray) -> np.ndarray:
    """Return the gain of each column of numbers, shape (columns,)."""
    return np.array([gain_of_groups(bins(column), figures) for column in matrix.T])


def unexplained(matrix: np.ndarray, figures: np.ndarray) -> np.ndarray:
    """Return what a small tree on these columns leaves of the figures: what a new feature should explain."""
    from sklearn.tree import DecisionTreeRegressor

    matrix = np.clip(matrix, -1e30, 1e30)  # scikit-learn adds the values up to see whether they are finite
    tree = DecisionTreeRegressor(max_leaf_nodes=48, min_samples_leaf=20, random_state=0).fit(matrix, figures)
    left = figures - tree.predict(matrix).reshape(figures.shape)
    centred: np.ndarray = left - left.mean(axis=0)
    return centred
