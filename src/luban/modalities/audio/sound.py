"""What the preparations of sounds share: reading a column into samples, and gaps that training may cut into them."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import LubanError
from luban.data.media import content
from luban.data.media.mapping import mapped
from luban.data.media.reference import is_data_uri, shown
from luban.modalities.audio import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

Stretch = tuple[float, float]
"""Where a gap begins and ends, as shares of the whole."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples of one sound, and where its spectrogram is to be blanked (SpecAugment).

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (n,), float32.
    moments, bands : tuple of (float, float)
        Stretches of time and of mel bands.
    """

    samples: np.ndarray
    moments: tuple[Stretch, ...] = ()
    bands: tuple[Stretch, ...] = ()


def sounds(table: pa.Table, column: str, rate: int, seconds: float) -> list[Sound | None]:
    """Return the sounds of a column, each cut to `seconds`, None where it is missing."""

    def one(reference: str | None) -> Sound | None:
        if reference is None:
            return None
        try:
            return Sound(decode.samples(source(reference), rate, seconds=seconds))
        except LubanError as error:
            raise type(error)(f"{error.happened}: {shown(reference)}", seen=error.seen, remedy=error.remedy) from error

    return list(mapped(one, table.column(column).to_pylist()))


def source(reference: str) -> bytes | str:
    """Return what a reference leads to: content, or the path of a file, so that no more of it is read than is heard.

    Raises
    ------
    LubanError
        As `luban.data.media.content` does.
    """
    there = not is_data_uri(reference) and os.path.isfile(reference)  # noqa: PTH113 - of no name is it an error
    return reference if there else content(reference)


def silence(rate: int) -> np.ndarray:
    """Return what stands for a missing sound: a tenth of a second of silence."""
    return np.zeros(rate // 10, dtype=np.float32)


def long_enough(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the samples, with silence after them where they are shorter than a tenth of a second."""
    lacking = rate // 10 - len(samples)
    return np.pad(samples, (0, lacking)) if lacking > 0 else samples


def blanked(values: np.ndarray, stretches: Sequence[Stretch], axis: int, value: float) -> np.ndarray:
    """Return the values with these stretches of an axis set to `value`; those given stay as they are."""
    if not stretches:
        return values
    changed = values.copy()
    size = values.shape[axis]
    for start, end in stretches:
        place = [slice(None)] * values.ndim
        place[axis] = slice(round(start * size), round(end * size))
        changed[tuple(place)] = value
    return changed
