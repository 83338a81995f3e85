"""Sounds to samples or mel spectrograms, as the model's network takes them: numpy, scipy and soundfile alone.

This file stands beside `preparation.json` (the settings) and needs nothing else of Luban.
"""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy.fft import rfft
from scipy.signal import resample_poly


def content(reference: str) -> bytes:
    """Return the bytes behind a path or a data URI."""
    if reference.lower().startswith("data:"):
        return base64.b64decode(reference.partition(",")[2])
    return Path(reference).read_bytes()


def samples(reference: str | None, settings: dict[str, Any]) -> np.ndarray | None:
    """Return a sound as one channel, float32, at the rate of the network; None where it is missing."""
    if not reference:
        return None
    rate, seconds = settings["rate"], settings["seconds"]
    with soundfile.SoundFile(io.BytesIO(content(reference))) as file:
        own = file.samplerate
        values = file.read(min(file.frames, math.ceil(seconds * own)), dtype="float32", always_2d=True).mean(axis=1)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if own != rate:
        common = math.gcd(own, rate)
        values = resample_poly(values, rate // common, own // common).astype(np.float32)
    return np.asarray(values[: max(1, round(seconds * rate))])


def long_enough(values: np.ndarray, rate: int) -> np.ndarray:
    """Return samples of at least a tenth of a second."""
    return np.pad(values, (0, max(0, rate // 10 - len(values))))


# --- samples ------------------------------------------------------------------------------------


def waves(sounds: list[np.ndarray | None], settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the samples of sounds, padded to the longest of the batch."""
    rows = []
    for one in sounds:
        if one is None:
            rows.append(np.zeros(settings["rate"] // 10, dtype=np.float32))
            continue
        values = long_enough(one, settings["rate"])
        if settings["normalise"]:
            wide = values.astype(np.float64)
            values = ((wide - wide.mean()) / np.sqrt(wide.var() + 1e-7)).astype(np.float32)
        rows.append(values[: round(settings["seconds"] * settings["rate"])])
    longest = max([len(one) for one in rows], default=settings["rate"] // 10)
    values = np.zeros((len(rows), longest), dtype=np.float32)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for row, one in enumerate(rows):
        values[row, : len(one)], mask[row, : len(one)] = one, 1
    return {"input_values": values, "attention_mask": mask}


# --- mel spectrograms ---------------------------------------------------------------------------


def to_mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    """Return frequencies on the mel scale of Slaney's Auditory Toolbox or of HTK."""
    if scale == "htk":
        return np.asarray(2595 * np.log10(1 + hertz / 700))
    return np.where(hertz < 1000, 3 * hertz / 200, 15 + np.log(np.maximum(hertz, 1e-9) / 1000) * 27 / np.log(6.4))


def to_hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    """Return the frequencies of a mel scale."""
    if scale == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def filters(settings: dict[str, Any]) -> np.ndarray:
    """Return the weights of each frequency in each band."""
    rate, scale = settings["rate"], settings["scale"]
    frequencies = np.linspace(0, rate / 2, settings["window"] // 2 + 1)
    low, high = (float(to_mel(np.array(one), scale)) for one in (settings["low"], settings["high"] or rate / 2))
    edges = to_hertz(np.linspace(low, high, settings["mels"] + 2), scale)
    widths = np.diff(edges)
    slopes = edges[None, :] - frequencies[:, None]
    weights = np.maximum(0, np.minimum(-slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]))
    if scale == "slaney":
        weights = weights * (2 / (edges[2:] - edges[:-2]))
    return np.asarray(weights, dtype=np.float32)


def spectrogram(values: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Return the logarithm of each band's power in each frame."""
    window, hop = settings["window"], settings["hop"]
    half = window // 2
    mirrored = np.pad(values, half, mode="reflect" if len(values) > half else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, window)[::hop]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    spectrum = rfft(frames * hann, axis=1)
    bands = ((spectrum.real**2 + spectrum.imag**2) @ filters(settings)).T[:, :-1]
    if settings["compression"] == "whisper":
        logs = np.log10(np.maximum(bands, np.float32(1e-10)))
        return np.asarray((np.maximum(logs, logs.max() - 8) + 4) / 4, dtype=np.float32)
    logs = np.log(bands + np.float32(1e-6))
    return np.asarray((logs - settings["mean"]) / settings["deviation"], dtype=np.float32)


def mels(sounds: list[np.ndarray | None], settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the mel spectrograms of sounds."""
    rate, hop = settings["rate"], settings["hop"]
    most = round(settings["seconds"] * rate)
    rows = []
    for one in sounds:
        values = long_enough(np.zeros(0, dtype=np.float32) if one is None else one, rate)[:most]
        real = max(1, min(-(-len(values) // hop), most // hop))
        if settings["fixed"]:
            values = np.pad(values, (0, most - len(values)))
        bands = spectrogram(values, settings)
        rows.append((bands, min(real, bands.shape[1])))
    longest = max([bands.shape[1] for bands, _ in rows], default=most // hop if settings["fixed"] else 1)
    features: np.ndarray = np.zeros((len(rows), settings["mels"], longest), dtype=np.float32)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for row, (bands, real) in enumerate(rows):
        features[row, :, : bands.shape[1]], mask[row, :real] = bands, 1
    return {"input_features": features, "attention_mask": mask}


def prepare(rows: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Return the tensors of rows ({column: path or data URI}); a missing sound is a tenth of a second of silence."""
    settings = json.loads((folder / "preparation.json").read_text(encoding="utf-8"))
    sounds = [samples(row.get(settings["columns"][0]), settings) for row in rows]
    return waves(sounds, settings) if settings["preparation"] == "audio_waveform" else mels(sounds, settings)
