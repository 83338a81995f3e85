"""Integrated gradients of token vectors (Sundararajan, Taly and Yan 2017, arXiv:1703.01365)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.foundation.ways.structure import transformer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.foundation.attribution.reading import Score

# Steps of the quadrature: more of them until what they give adds up, or the time is up.
_STEPS = (16, 48, 144)
_CLOSE = 0.02
_TOKENS = 4096  # at once, which bounds the memory


@dataclass(frozen=True, kw_only=True)
class Integrated:
    """What each token adds.

    Attributes
    ----------
    weights : numpy.ndarray
        float64, shape (L,): their sum is nearly the score less that of the same row with all its words taken away.
    total : float
        That difference.
    """

    weights: np.ndarray
    total: float

    @property
    def gap(self) -> float:
        """How far the sum of the weights is from the difference."""
        return abs(float(self.weights.sum()) - self.total)


def token_vectors(body: torch.nn.Module) -> torch.nn.Module | None:
    """Return the look-up table of the token vectors, None where the network has none."""
    found = transformer(body)
    if found is None:
        return None
    try:
        table: Any = getattr(*found).get_input_embeddings()
    except NotImplementedError:  # what transformers raises for networks that read no tokens
        return None
    return table if isinstance(table, torch.nn.Module) else None


def integrated_gradients(
    score: Score,
    table: torch.nn.Module,
    tensors: Mapping[str, torch.Tensor],
    replaced: np.ndarray,
    *,
    pad: int,
    deadline: float,
) -> Integrated:
    """Integrate the gradient of the score from a row without words to the row itself.

    Parameters
    ----------
    table : torch.nn.Module
        Turns token numbers into vectors.
    tensors : mapping of str to torch.Tensor
        Of one row.
    replaced : numpy.ndarray
        bool, shape (L,): tokens that the row without words lacks; the others, which mark its start and end, stay.
    pad : int
        Number of the token that stands there instead.
    deadline : float
        Value of `time.monotonic` after which no finer quadrature is begun.
    """
    ids = tensors["input_ids"]
    without = torch.where(torch.from_numpy(replaced)[None].to(ids.device), torch.full_like(ids, pad), ids)
    with torch.no_grad():
        first, last = table(without).detach(), table(ids).detach()
        ends = score(_repeated(tensors, 2) | {"input_ids": torch.cat([without, ids])})
    total = float(ends[1] - ends[0])
    found = Integrated(weights=np.zeros(ids.shape[1]), total=total)
    before, spent = _STEPS[0], 0.0
    for steps in _STEPS:
        begun = time.monotonic()
        if spent and begun + spent * steps / before > deadline:
            break
        found = Integrated(weights=_quadrature(score, table, tensors, first, last, steps), total=total)
        if found.gap <= _CLOSE * max(abs(total), 1e-3):
            break
        before, spent = steps, time.monotonic() - begun
    return found


def _quadrature(
    score: Score,
    table: torch.nn.Module,
    tensors: Mapping[str, torch.Tensor],
    first: torch.Tensor,
    last: torch.Tensor,
    steps: int,
) -> np.ndarray:
    """Return the integral along the straight line by Gauss and Legendre's rule, shape (L,)."""
    nodes, shares = np.polynomial.legendre.leggauss(steps)
    gradient = torch.zeros_like(last[0], dtype=torch.float64)
    at_once = max(1, _TOKENS // last.shape[1])
    for start in range(0, steps, at_once):
        place = slice(start, start + at_once)
        where = torch.from_numpy((nodes[place] + 1) / 2).to(last).view(-1, 1, 1)
        path = (first + where * (last - first)).requires_grad_()
        handle = table.register_forward_hook(lambda module, given, made, path=path: path)  # noqa: ARG005
        try:
            (slope,) = torch.autograd.grad(score(_repeated(tensors, len(where))).sum(), path)
        finally:
            handle.remove()
        gradient += torch.einsum("s,sld->ld", torch.from_numpy(shares[place] / 2).to(slope.device), slope.double())
    weights: np.ndarray = (gradient * (last - first)[0].double()).sum(dim=1).cpu().numpy()
    return weights


def _repeated(tensors: Mapping[str, torch.Tensor], times: int) -> dict[str, torch.Tensor]:
    return {name: one.expand(times, *one.shape[1:]) for name, one in tensors.items()}
