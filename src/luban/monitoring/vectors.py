"""Vectors, such as embeddings: how far later ones are from those before, by the maximum mean discrepancy.

Gretton et al. (2012), A kernel two-sample test, with the Gaussian kernel of the median distance, written as random
Fourier features (Rahimi and Recht 2007): what is kept is a small matrix of waves, whatever the vectors' width.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np

from luban.monitoring.measured import Measured

ROWS = 500
"""Vectors of a window that are looked at."""

KEPT = 1500
"""Vectors that a baseline keeps: more, since every window is held against the same."""

WAVES = 128
LEAST = 0.05
"""Discrepancy from which a change counts: from 0 to the square root of 2."""

_SHUFFLES = 400


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """Some vectors, as waves.

    Parameters
    ----------
    width : int
        Of the vectors.
    bandwidth : float
        Median distance of two of them.
    waves : str
        float16, shape (n, 2 * `WAVES`), in base64.
    rows : int
        n.
    """

    width: int
    bandwidth: float
    waves: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Some values of a column by a backbone.

    Parameters
    ----------
    backbone, digest : str
        Its name, and of its weights and preparation: vectors of another one are not compared with these.
    """

    backbone: str
    digest: str
    vectors: Vectors


def vectors(values: np.ndarray) -> Vectors | None:
    """Return the compact form of vectors, None where there are fewer than two.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n, d).
    """
    if len(values) < 2:
        return None
    values = some(values, KEPT)
    bandwidth = _median_distance(values)
    waves = _waves(values, bandwidth).astype("<f2")
    return Vectors(
        width=values.shape[1],
        bandwidth=bandwidth,
        waves=base64.b64encode(waves.tobytes()).decode(),
        rows=len(values),
    )


def some(values: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """Return at most so many rows, drawn at random."""
    if len(values) <= most:
        return values
    return values[np.sort(np.random.default_rng(seed).choice(len(values), most, replace=False))]


def moved(base: Vectors, values: np.ndarray, seed: int = 0) -> list[Measured]:
    """Return how far vectors are from the baseline.

    The chance is that of a gamma distribution with the mean, the spread and the skew that the squared discrepancy has
    when old and new are shuffled; the effect is the discrepancy less what shuffled ones have.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n, d), n > 1.
    """
    old = np.frombuffer(base64.b64decode(base.waves), dtype="<f2").reshape(base.rows, -1).astype(np.float64)
    new = _waves(some(values, ROWS, seed), base.bandwidth)
    both = np.concatenate([old, new])
    seen = float(((old.mean(axis=0) - new.mean(axis=0)) ** 2).sum())
    generator = np.random.default_rng(seed)
    signs = np.concatenate([np.full(len(old), 1 / len(old)), np.full(len(new), -1 / len(new))])
    shuffled = generator.permuted(np.tile(signs, (_SHUFFLES, 1)), axis=1)
    chances = ((shuffled @ both) ** 2).sum(axis=1)
    discrepancy = math.sqrt(max(0.0, seen - float(chances.mean())))
    return [
        Measured(
            what="drift",
            chance=_beyond(chances, seen),
            effect=discrepancy,
            least=LEAST,
            figures={"mmd": discrepancy},
        )
    ]


def _beyond(draws: np.ndarray, seen: float) -> float:
    """Return the chance of at least `seen`, by a gamma distribution with the moments of the draws (Pearson III)."""
    from scipy.special import gammaincc
    from scipy.stats import skew

    mean, spread = float(draws.mean()), float(draws.std())
    if spread == 0:
        return 1.0
    bent = max(float(skew(draws)), 0.05)
    shape = 4 / bent**2
    scaled = shape + (seen - mean) / spread * math.sqrt(shape)
    return float(gammaincc(shape, max(scaled, 0.0)))


def _waves(values: np.ndarray, bandwidth: float) -> np.ndarray:
    """Return features whose products are the Gaussian kernel, shape (n, 2 * `WAVES`); the same for every window."""
    directions = np.random.default_rng(0).normal(0, 1 / bandwidth, (values.shape[1], WAVES))
    turned = values @ directions
    return np.concatenate([np.cos(turned), np.sin(turned)], axis=1) / math.sqrt(WAVES)


def _median_distance(values: np.ndarray) -> float:
    squares = (values**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * values @ values.T
    upper = distances[np.triu_indices(len(values), 1)]
    return math.sqrt(max(float(np.median(upper)), 1e-12)) or 1.0
