"""Where on a plane an answer rests, told by a network that keeps a map to its end: Grad-CAM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from luban.foundation.attribution.reading import Score

# A map of fewer cells on a side shows nothing: covering parts shows more then.
_LEAST_CELLS = 7


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
    found: np.ndarray = drawn.double().cpu().numpy()
    return found
