"""Pictures as a network took them, drawn again and covered in places."""

from __future__ import annotations

import numpy as np

from luban.modalities.grid import spread


def drawn(pixels: np.ndarray, scale: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return normalised pixels (channels, height, width) as a picture, uint8 of shape (height, width, 3)."""
    values = (pixels.transpose(1, 2, 0) * deviation + mean) / scale
    plain = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return plain if plain.shape[2] == 3 else np.repeat(plain, 3, axis=2)


def covered(pixels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return pictures with parts covered by the mean colour of the picture.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (channels, height, width).
    kept : numpy.ndarray
        Shape (m, r, c), from 0 to 1.

    Returns
    -------
    numpy.ndarray
        Shape (m, channels, height, width).
    """
    mask = spread(kept, pixels.shape[1], pixels.shape[2])[:, None]
    colour = pixels.mean(axis=(1, 2), keepdims=True)
    return np.asarray(mask * pixels + (1 - mask) * colour, dtype=pixels.dtype)
