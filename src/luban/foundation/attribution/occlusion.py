"""Where on a plane an answer rests, told by covering parts of it: for whatever answers, network or graph."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from luban.core.report import Evidence
from luban.foundation.attribution import heat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.preparation import Depicting

    Score = Callable[[Mapping[str, np.ndarray]], np.ndarray]

_GRIDS = (14, 10, 7, 5)
_AT_ONCE, _PROBED = 16, 3


def occlusion(
    score: Score, preparation: Depicting, tensors: Mapping[str, np.ndarray], *, deadline: float
) -> np.ndarray:
    """Return what the score loses where parts are covered (Zeiler and Fergus 2014).

    Windows of two by two cells are covered in turn, in random order; the time decides how fine the grid is.

    Parameters
    ----------
    score : callable
        From the tensors of m variants of the row to the score of each, shape (m,).

    Returns
    -------
    numpy.ndarray
        Shape (g, g), the first row at the top of the picture.
    """
    begun = time.monotonic()
    whole = float(score(preparation.covered(tensors, np.ones((1, 1, 1))))[0])
    score(preparation.covered(tensors, np.ones((_PROBED, 1, 1))))
    pace = (time.monotonic() - begun) / (_PROBED + 1)
    left = deadline - time.monotonic()
    grid = next((one for one in _GRIDS if (one + 1) ** 2 * pace < left), _GRIDS[-1])
    corners = [(row, column) for row in range(-1, grid) for column in range(-1, grid)]
    order = np.random.default_rng(0).permutation(len(corners))
    lost, times = np.zeros((grid, grid)), np.zeros((grid, grid))
    for start in range(0, len(order), _AT_ONCE):
        if start and time.monotonic() > deadline:
            break
        chosen = [corners[one] for one in order[start : start + _AT_ONCE]]
        kept = np.ones((len(chosen), grid, grid))
        for mask, (row, column) in zip(kept, chosen, strict=True):
            mask[max(0, row) : row + 2, max(0, column) : column + 2] = 0
        for mask, value in zip(kept, score(preparation.covered(tensors, kept)), strict=True):
            lost += (whole - value) * (1 - mask)
            times += 1 - mask
    return np.asarray(lost / np.maximum(times, 1))


def pictured(
    preparation: Depicting,
    column: str,
    tensors: Mapping[str, np.ndarray],
    weights: np.ndarray,
    *,
    towards: str,
    how: str = "what is lost where it is covered",
) -> Evidence:
    """Return a map of weights over what a preparation made of a value, beside the value itself.

    Parameters
    ----------
    weights : numpy.ndarray
        Shape (r, c), in any unit; positive ones speak for `towards`.
    """
    largest = float(np.abs(weights).max())
    x, y = preparation.axes(tensors)
    picture = preparation.picture(tensors)
    return Evidence(
        title=f"Where {column} speaks for {towards}",
        columns=("caption", "picture"),
        rows=(
            ("as the model takes it", heat.plain(picture, stretched=bool(x))),
            (
                f"orange speaks for {towards}, blue against it ({how})",
                heat.over(picture, weights / (largest or 1.0), stretched=bool(x)),
            ),
        ),
        drawing="picture",
        x=x,
        y=y,
    )
