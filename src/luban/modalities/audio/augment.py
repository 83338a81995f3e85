"""Sounds varied at random: noise, shift, speed, and SpecAugment.

Speed is that of T. Ko et al., "Audio augmentation for speech recognition" (Interspeech 2015); the masks over time and
frequency are those of D. S. Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
Recognition" (Interspeech 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.space import Real
from luban.modalities.audio.sound import Sound, Stretch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.space import Space

WAVE_SPACE: Space = {
    "noise": Real(0.0, 0.3),
    "shift": Real(0.0, 0.3),
    "speed": Real(0.0, 0.2),
    "time_masks": Real(0.0, 0.3),
}
MEL_SPACE: Space = {**WAVE_SPACE, "mel_masks": Real(0.0, 0.4), "mixup": Real(0.0, 0.4)}
MASKS = 2
"""How many stretches of time, and of bands, are blanked at most."""


def varied(sound: Sound, parameters: Mapping[str, Any], random: np.random.Generator) -> Sound:
    """Return the sound varied at random.

    Parameters
    ----------
    sound : Sound
    parameters : mapping
        ``noise``: white noise of up to this share of the sound's own strength; ``shift``: the sound begins earlier or
        later by up to this share of its length, silence takes its place; ``speed``: it is up to this share quicker or
        slower; ``time_masks``, ``mel_masks``: up to two stretches, together at most this share, of time and of mel
        bands are blanked in the spectrogram.
    random : numpy.random.Generator
    """
    samples = sound.samples
    speed, shift, noise = (float(parameters.get(name, 0.0)) for name in ("speed", "shift", "noise"))
    if speed > 0:
        samples = _faster(samples, 1 + random.uniform(-speed, speed))
    if shift > 0:
        samples = _shifted(samples, round(random.uniform(-shift, shift) * len(samples)))
    if noise > 0:
        strength = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) * random.uniform(0, noise)
        samples = samples + np.float32(strength) * random.standard_normal(len(samples), dtype=np.float32)
    return Sound(
        samples,
        _stretches(float(parameters.get("time_masks", 0.0)), random),
        _stretches(float(parameters.get("mel_masks", 0.0)), random),
    )


def _faster(samples: np.ndarray, factor: float) -> np.ndarray:
    from scipy.signal import resample_poly

    down = round(100 * factor)
    return samples if down == 100 else resample_poly(samples, 100, down).astype(np.float32)


def _shifted(samples: np.ndarray, places: int) -> np.ndarray:
    if not places:
        return samples
    moved = np.zeros_like(samples)
    if places > 0:
        moved[places:] = samples[:-places]
    else:
        moved[:places] = samples[-places:]
    return moved


def _stretches(share: float, random: np.random.Generator) -> tuple[Stretch, ...]:
    if share <= 0:
        return ()
    found = []
    for _ in range(MASKS):
        width = random.uniform(0, min(share, 0.9) / MASKS)
        start = random.uniform(0, 1 - width)
        found.append((float(start), float(start + width)))
    return tuple(found)
