"""From the bytes of a sound to its samples: one channel, float32, at the rate that is asked for.

Channels are averaged; values that are no numbers become silence. Of a long sound only the seconds that are asked for
are read, so that an hour costs no more memory than they do. Resampling is polyphase with a Kaiser window
(scipy.signal.resample_poly).
"""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soundfile import SoundFile

_BLOCK = 1 << 18
RATES = (1_000, 768_000)


def samples(source: bytes | str, rate: int, *, seconds: float = math.inf) -> np.ndarray:
    """Return the samples of a sound, shape (n,), float32 in about [-1, 1].

    Parameters
    ----------
    source : bytes or str
        The content, or the path of a file, of which no more is read than is decoded.
    rate : int
        Samples a second.
    seconds : float
        No more than these are read, from the start.

    Raises
    ------
    InputError
        If the sound cannot be read.
    """
    with _open(source) as file:
        own = file.samplerate
        most = file.frames if math.isinf(seconds) else min(file.frames, math.ceil(seconds * own))
        values = file.read(most, dtype="float32", always_2d=True)
    if not len(values):
        raise broken("it has no samples")
    return resampled(_sound(values.mean(axis=1)), own, rate, seconds)


def resampled(values: np.ndarray, own: int, rate: int, seconds: float = math.inf) -> np.ndarray:
    """Return samples of one rate as samples of another, cut to `seconds`."""
    if own != rate:
        from scipy.signal import resample_poly

        common = math.gcd(own, rate)
        values = resample_poly(values, rate // common, own // common).astype(np.float32)
    return values if math.isinf(seconds) else values[: max(1, round(seconds * rate))]


def figures(source: bytes | str, *, seconds: float = math.inf) -> dict[str, Any]:
    """Read a sound to its end, block by block, and return its rate, channels, seconds, format and loudest value.

    Parameters
    ----------
    source : bytes or str
        As for `samples`.
    seconds : float
        Of a longer sound about so many are read; how long it is its head tells then.

    Raises
    ------
    InputError
        If the sound, as far as it is read, is broken.
    """
    peak, frames = 0.0, 0
    with _open(source) as file:
        most = seconds * file.samplerate
        while frames < most and len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            frames += len(block)
            peak = max(peak, float(np.abs(_sound(block)).max()))
        if not frames:
            raise broken("it has no samples")
        whole = frames < most or frames >= file.frames
        if whole and file.frames and frames < file.frames:
            raise broken(f"it ends after {frames:,} of {file.frames:,} samples")
        return {
            "rate": int(file.samplerate),
            "channels": int(file.channels),
            "seconds": (frames if whole else file.frames) / file.samplerate,
            "format": str(file.format),
            "peak": round(peak, 6),
        }


def head(source: bytes | str) -> dict[str, Any]:
    """Return the rate and seconds that the head of a sound tells; nothing is decoded.

    Parameters
    ----------
    source : bytes or str
        The content, or the path of a file, which is not read to its end.
    """
    with _open(source) as file:
        return {"rate": int(file.samplerate), "seconds": file.frames / file.samplerate}


def broken(why: str) -> InputError:
    """Return the error for a sound that cannot be read."""
    return InputError(
        "the sound cannot be read", seen=why[:160], remedy="Give a whole WAV, FLAC, OGG, Opus, MP3, AIFF or AU file."
    )


def _sound(values: np.ndarray) -> np.ndarray:
    return values if np.isfinite(values).all() else np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


@contextmanager
def _open(source: bytes | str) -> Iterator[SoundFile]:
    import soundfile

    if not source:
        raise broken("the file is empty")
    if isinstance(source, str) and source.lower().endswith(".raw"):  # soundfile asks for its rate
        raise broken("a file named .raw is taken for bare samples, which tell no rate")
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            if not RATES[0] <= file.samplerate <= RATES[1]:
                raise broken(f"a rate of {file.samplerate:,} Hz")
            yield file
    except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
        raise broken(str(error).replace("<_io.BytesIO object at", "bytes at")) from error
