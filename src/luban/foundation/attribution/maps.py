"""Where on a plane an answer rests: Grad-CAM where the network keeps a map to its end, occlusion otherwise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.preparation import Depicting
    from luban.foundation.attribution.reading import Score

# A map of fewer cells on a side shows nothing: covering parts shows more then.
_LEAST_CELLS = 5
_GRIDS = (14, 10, 7, 5)
_AT_ONCE, _PROBED = 16, 3


def last_map(body: torch.nn.Module, score: Score, tensors: Mapping[str, torch.Tensor]) -> np.ndarray | None:
    """Return the class activation map (Selvaraju et al. 2017, Grad-CAM, with its sign).

    Returns
    -------
    numpy.ndarray or None
        Shape (h, w); None where the network reads no picture of several channels, or does not keep a map to its end, or
        a small one.
    """
    # Of a sound nothing is silence, which covering shows; a map would show the loudness that all sounds have too.
    if all(one.dim() != 4 for one in tensors.values()):
        return None
    made: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, given: Any, output: Any) -> None:
        del module, given
        if isinstance(output, torch.Tensor) and output.dim() >= 3:
            made.append(output)

    handles = [one.register_forward_hook(keep) for one in body.modules()]
    try:
        # Weights that are frozen give no gradient of themselves; the input must.
        given = {
            name: one.clone().requires_grad_() if one.is_floating_point() else one for name, one in tensors.items()
        }
        value = score(given)
    finally:
        for handle in handles:
            handle.remove()
    if not made or made[-1].dim() != 4 or min(made[-1].shape[2:]) < _LEAST_CELLS:
        return None
    (slope,) = torch.autograd.grad(value.sum(), made[-1])
    with torch.no_grad():
        drawn = (slope.mean(dim=(2, 3), keepdim=True) * made[-1]).sum(dim=1)[0]
    found: np.ndarray = drawn.double().numpy()
    return found


def occlusion(
    score: Score, preparation: Depicting, tensors: Mapping[str, np.ndarray], *, deadline: float
) -> np.ndarray:
    """Return what the score loses where parts are covered (Zeiler and Fergus 2014).

    Windows of two by two cells are covered in turn, in random order; the time decides how fine the grid is.

    Returns
    -------
    numpy.ndarray
        Shape (g, g), the first row at the top of the picture.
    """
    begun = time.monotonic()
    whole = float(_scored(score, preparation.covered(tensors, np.ones((1, 1, 1))))[0])
    _scored(score, preparation.covered(tensors, np.ones((_PROBED, 1, 1))))
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
        for mask, value in zip(kept, _scored(score, preparation.covered(tensors, kept)), strict=True):
            lost += (whole - value) * (1 - mask)
            times += 1 - mask
    return np.asarray(lost / np.maximum(times, 1))


def _scored(score: Score, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = score({name: torch.from_numpy(one) for name, one in tensors.items()}).double().numpy()
    return found
