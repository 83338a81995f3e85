"""Sounds as planes of time and frequency, drawn and covered in places.

The first row of a spectrogram is its lowest band; a picture has it at the bottom.
"""

from __future__ import annotations

import numpy as np

from luban.modalities.grid import spread

_LOUDEST = 99.5  # percentile that is drawn black


def drawn(bands: np.ndarray) -> np.ndarray:
    """Return a spectrogram (bands, frames) as a picture with the loud dark, uint8 of shape (bands, frames, 3)."""
    low, high = float(bands.min()), float(np.percentile(bands, _LOUDEST))
    share = np.clip((bands - low) / max(high - low, 1e-9), 0, 1)
    grey = np.rint(250 - 225 * share).astype(np.uint8)[::-1]
    return np.repeat(grey[:, :, None], 3, axis=2)


def turned(plane: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a plane (frequencies, time) as it lies over the picture of the part that the mask says is real."""
    real = max(1, round(plane.shape[1] * float(mask.mean())))
    return plane[::-1, :real]


def covered_bands(bands: np.ndarray, real: int, kept: np.ndarray) -> np.ndarray:
    """Return spectrograms with cells of the picture set to silence.

    Parameters
    ----------
    bands : numpy.ndarray
        Shape (bands, frames), of which the first `real` are of the sound.
    kept : numpy.ndarray
        Shape (m, r, c), the first row at the top of the picture.
    """
    mask = np.ones((len(kept), *bands.shape), dtype=bands.dtype)
    mask[:, :, :real] = spread(kept[:, ::-1], len(bands), real)
    return np.asarray(mask * bands + (1 - mask) * bands[:, :real].min(), dtype=bands.dtype)


def covered_samples(samples: np.ndarray, real: int, kept: np.ndarray, window: int) -> np.ndarray:
    """Return sounds, shape (m, n), whose short-time spectrum is silenced in cells of the picture."""
    spectrum = _spectrum(samples[:real], window)
    mask = spread(kept[:, ::-1], *spectrum.shape)
    result = np.repeat(samples[None], len(kept), axis=0)
    for place, one in enumerate(mask):
        result[place, :real] = _sound(spectrum * one, window, real)
    return result


def loudness(samples: np.ndarray, window: int) -> np.ndarray:
    """Return the logarithmic spectrogram of samples, shape (frequencies, frames)."""
    strength = np.log(np.abs(_spectrum(samples, window)) ** 2 + 1e-10)
    return np.asarray(np.maximum(strength, strength.max() - 12))


def _spectrum(samples: np.ndarray, window: int) -> np.ndarray:
    from scipy.signal import stft

    return np.asarray(stft(samples, nperseg=min(window, len(samples)), padded=True)[2])


def _sound(spectrum: np.ndarray, window: int, length: int) -> np.ndarray:
    from scipy.signal import istft

    samples = istft(spectrum, nperseg=min(window, length))[1][:length]
    return np.pad(samples, (0, length - len(samples))).astype(np.float32)
