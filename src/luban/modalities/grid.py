"""A grid of cells laid over a plane."""

from __future__ import annotations

import numpy as np


def spread(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the value of the cell that each point lies in, from shape (m, r, c) to (m, height, width)."""
    down = np.minimum(np.arange(height) * cells.shape[1] // height, cells.shape[1] - 1)
    across = np.minimum(np.arange(width) * cells.shape[2] // width, cells.shape[2] - 1)
    return np.asarray(cells[:, down][:, :, across])
