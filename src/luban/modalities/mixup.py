"""Two examples made into one: H. Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mixed(NamedTuple):
    """A mixed batch.

    The loss is ``share * loss(target) + (1 - share) * loss(target[partner])``.

    Attributes
    ----------
    tensors : dict of str to numpy.ndarray
        Floating-point tensors mixed; others as they came.
    partner : numpy.ndarray
        The row that each row was mixed with, shape (n,), int64.
    share : float
        How much of each row is its own, at least one half.
    """

    tensors: dict[str, np.ndarray]
    partner: np.ndarray
    share: float


def mixup(tensors: Mapping[str, np.ndarray], alpha: float, random: np.random.Generator) -> Mixed:
    """Return a batch in which each row is mixed with another.

    Parameters
    ----------
    tensors : mapping of str to numpy.ndarray
        Of n rows each; what is mixed must have one shape a row, as pixels and spectrograms have.
    alpha : float
        The share is drawn from Beta(alpha, alpha); 0 mixes nothing.
    random : numpy.random.Generator
    """
    rows = len(next(iter(tensors.values())))
    if alpha <= 0 or rows < 2:
        return Mixed(dict(tensors), np.arange(rows), 1.0)
    drawn = float(random.beta(alpha, alpha))
    share = max(drawn, 1 - drawn)
    partner = random.permutation(rows)
    mixed = {
        name: (np.float32(share) * values + np.float32(1 - share) * values[partner]).astype(values.dtype)
        if np.issubdtype(values.dtype, np.floating)
        else values
        for name, values in tensors.items()
    }
    return Mixed(mixed, partner, share)
