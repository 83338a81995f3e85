"""Sounds as planes of time and frequency, drawn and covered in places.

The first row of a spectrogram is its lowest band; a picture has it at the bottom.
"""

from __future__ import annotations

import numpy as np

from luban.modalities.grid import spread

_LOUDEST = 99.5  # percentile that is drawn black
_QUIET, _MOST = 10, 75


def drawn(bands: np.ndarray) -> np.ndarray:
    """Return a spectrogram (bands, frames) as a picture with the loud dark, uint8 of shape (bands, frames, 3)."""
    low, high = float(bands.min()), float(np.percentile(bands, _LOUDEST))
    share = np.clip((bands - low) / max(high - low, 1e-9), 0, 1)
    grey = np.rint(250 - 225 * share).astype(np.uint8)[::-1]
    return np.repeat(grey[:, :, None], 3, axis=2)


def covered_bands(bands: np.ndarray, real: int, kept: np.ndarray) -> np.ndarray:
    """Return spectrograms with cells of the picture set to what is heard there when nothing happens.

    Parameters
    ----------
    bands : numpy.ndarray
        Shape (bands, frames), of which the first `real` are of the sound.
    kept : numpy.ndarray
        Shape (m, r, c), the first row at the top of the picture.
    """
    mask = np.ones((len(kept), *bands.shape), dtype=bands.dtype)
    mask[:, :, :real] = spread(kept[:, ::-1], len(bands), real)
    quiet = _quiet(bands[:, :real])
    return np.asarray(mask * bands + (1 - mask) * np.minimum(bands, quiet), dtype=bands.dtype)


def covered_samples(samples: np.ndarray, real: int, kept: np.ndarray, window: int) -> np.ndarray:
    """Return sounds, shape (m, n), as quiet in cells of the picture as they are when nothing happens."""
    spectrum = _spectrum(samples[:real], window)
    strength = np.abs(spectrum)
    quieter = spectrum * np.minimum(1.0, _quiet(strength) / np.maximum(strength, 1e-12))
    mask = spread(kept[:, ::-1], *spectrum.shape)
    result = np.repeat(samples[None], len(kept), axis=0)
    for place, one in enumerate(mask):
        result[place, :real] = _sound(spectrum * one + quieter * (1 - one), window, real)
    return result


def loudness(samples: np.ndarray, window: int) -> np.ndarray:
    """Return the logarithmic spectrogram of samples, shape (frequencies, frames)."""
    strength = np.log(np.abs(_spectrum(samples, window)) ** 2 + 1e-10)
    return np.asarray(np.maximum(strength, strength.max() - 12))


def _quiet(strength: np.ndarray) -> np.ndarray:
    """Return how strong each frequency is when nothing happens, shape (frequencies, 1).

    That is its tenth percentile over time; a tone that lasts is as strong as most other frequencies are then. Silence
    itself would not do: no recording is silent, and a network takes a sudden silence for an event.
    """
    floor = np.percentile(strength, _QUIET, axis=1, keepdims=True)
    return np.asarray(np.minimum(floor, np.percentile(floor, _MOST)))


def _spectrum(samples: np.ndarray, window: int) -> np.ndarray:
    from scipy.signal import stft

    return np.asarray(stft(samples, nperseg=min(window, len(samples)), padded=True)[2])


def _sound(spectrum: np.ndarray, window: int, length: int) -> np.ndarray:
    from scipy.signal import istft

    samples = istft(spectrum, nperseg=min(window, length))[1][:length]
    return np.pad(samples, (0, length - len(samples))).astype(np.float32)
