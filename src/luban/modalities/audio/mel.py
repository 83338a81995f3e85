"""Mel spectrograms in NumPy.

The filters are those of M. Slaney's Auditory Toolbox (linear below 1 kHz, logarithmic above, each of unit area) or of
HTK (logarithmic throughout, each of unit height).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.fft import rfft

SCALES = ("slaney", "htk")


@lru_cache(maxsize=32)
def filters(rate: int, window: int, mels: int, low: float, high: float, scale: str) -> np.ndarray:
    """Return the weights of each frequency in each band, shape (window // 2 + 1, mels), float32."""
    frequencies = np.linspace(0, rate / 2, window // 2 + 1)
    edges = _hertz(np.linspace(_mel(np.array(low), scale), _mel(np.array(high), scale), mels + 2), scale)
    widths = np.diff(edges)
    slopes = edges[None, :] - frequencies[:, None]
    falling, rising = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    weights = np.maximum(0, np.minimum(falling, rising))
    if scale == "slaney":
        weights = weights * (2 / (edges[2:] - edges[:-2]))
    table: np.ndarray = weights.astype(np.float32)
    table.flags.writeable = False
    return table


def power(samples: np.ndarray, window: int, hop: int, weights: np.ndarray) -> np.ndarray:
    """Return the power of each band in each frame, shape (mels, 1 + n // hop), float32.

    Frames are centred (the ends are mirrored) and weighted by a periodic Hann window, as librosa and torch do.
    """
    half = window // 2
    mirrored = np.pad(samples, half, mode="reflect" if len(samples) > half else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, window)[::hop]
    spectrum = rfft(frames * _hann(window), axis=1)
    strength = spectrum.real**2 + spectrum.imag**2
    bands: np.ndarray = (strength @ weights).T
    return bands


@lru_cache(maxsize=8)
def _hann(window: int) -> np.ndarray:
    values: np.ndarray = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    values.flags.writeable = False
    return values


def _mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        found: np.ndarray = 2595 * np.log10(1 + hertz / 700)
        return found
    return np.where(hertz < 1000, 3 * hertz / 200, 15 + np.log(np.maximum(hertz, 1e-9) / 1000) * 27 / np.log(6.4))


def _hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        found: np.ndarray = 700 * (10 ** (mel / 2595) - 1)
        return found
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
