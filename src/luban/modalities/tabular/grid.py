"""Numbers on a grid, so that sums of their products are exact and come out the same in whatever order they are added.

Sums of floating-point numbers depend on their order, and every library has its own. Products of multiples of 2^-a and
of 2^-b are multiples of 2^-(a+b), and float64 adds those without any rounding while they stay below 2^(53-a-b).
(J. Demmel, H. D. Nguyen, "Fast reproducible floating-point summation", ARITH 2013, builds on the same.)
"""

from __future__ import annotations

import numpy as np


def on_grid(values: np.ndarray, bits: int) -> np.ndarray:
    """Return the nearest multiples of 2^-`bits`; float32, C-order.

    Parameters
    ----------
    values : numpy.ndarray
        Below 2^(24 - `bits`), so that float32 holds the multiples exactly.
    bits : int
    """
    unit = 2.0**-bits
    return np.ascontiguousarray(np.round(values / unit) * unit, dtype=np.float32)
