"""Pictures and sounds as objects of Python, as references that hold their content."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, MissingExtra
from luban.data.media.reference import data_uri

if TYPE_CHECKING:
    from PIL.Image import Image

_CHANNELS = frozenset({1, 3, 4})
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def is_object(value: Any) -> bool:
    """Return whether a value is one picture or sound: an image of Pillow, an array of pixels, samples with a rate.

    An array of pixels has whole numbers of 8 or 16 bits and the shape (height, width) or (height, width, channels).
    Samples come as ``(array, rate)`` or ``{"array": ..., "sampling_rate": ...}``, as the hub's data sets hold them.
    """
    return _is_pillow(value) or _is_pixels(value) or _samples(value) is not None


def is_stack(value: Any) -> bool:
    """Return whether an array holds many pictures, one a row."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}
        and (value.ndim == 4 or (value.ndim == 3 and value.shape[2] not in _CHANNELS))
    )


def embedded(value: Any) -> str:
    """Return an object, as `is_object` knows them, as a data URI: PNG or TIFF for pictures, WAV for sounds.

    Raises
    ------
    InputError
        If it has no pixels or samples.
    """
    if _is_pillow(value):
        return _picture(value)
    if _is_pixels(value):
        return _picture(_pillow(value))
    samples, rate = _samples(value)  # type: ignore[misc]
    return _wave(samples, rate)


def array_of(kind: str, values: np.ndarray) -> str:
    """Return an array that stands in a column of this kind as a data URI, also one of real numbers from 0 to 1.

    Raises
    ------
    InputError
        If a sound comes without its rate, or the shape is that of no picture.
    """
    if kind == "audio":
        raise InputError(
            "samples without their rate are no sound",
            seen=f"an array of shape {values.shape}",
            remedy="Give (samples, rate), or the content of a sound file.",
        )
    if values.dtype.kind == "f" and values.size and values.min() >= 0 and values.max() <= 1:
        values = np.rint(values * 255).astype(np.uint8)
    if values.dtype.kind in "bi" and values.size and values.min() >= 0 and values.max() <= 255:
        values = (values * 255 if values.dtype.kind == "b" else values).astype(np.uint8)
    if values.ndim == 3 and values.shape[2] not in _CHANNELS and values.shape[0] in _CHANNELS:
        values = np.moveaxis(values, 0, 2)  # channels first, as torch has them
    if not _is_pixels(values):
        raise InputError(
            "the array is no picture",
            seen=f"shape {values.shape}, type {values.dtype}",
            remedy="Give (height, width) or (height, width, channels), whole numbers of 8 bits or real ones up to 1.",
        )
    return _picture(_pillow(values))


def _is_pillow(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "PIL" and hasattr(value, "getbands")


def _is_pixels(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}
        and (value.ndim == 2 or (value.ndim == 3 and value.shape[2] in _CHANNELS))
    )


def _samples(value: Any) -> tuple[np.ndarray, int] | None:
    if isinstance(value, Mapping) and "array" in value and "sampling_rate" in value:
        value = (np.asarray(value["array"]), value["sampling_rate"])
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    samples, rate = value
    sound = isinstance(samples, np.ndarray) and samples.ndim in {1, 2} and samples.dtype.kind in "fi"
    return (samples, int(rate)) if sound and isinstance(rate, int | np.integer) and rate > 0 else None


def _pillow(values: np.ndarray) -> Image:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise _missing("pillow", "image") from error
    if not values.size:
        raise InputError("the picture has no pixels", seen=f"shape {values.shape}", remedy="Leave it out.")
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim == 3 and values.dtype == np.uint16:  # Pillow has no 16 bits in colour
        values = (values >> 8).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(values))


def _picture(image: Image) -> str:
    stream = io.BytesIO()
    if image.mode in _PNG_MODES:
        image.save(stream, "PNG", compress_level=1)
        return data_uri(stream.getvalue(), "image/png")
    image.save(stream, "TIFF")
    return data_uri(stream.getvalue(), "image/tiff")


def _wave(samples: np.ndarray, rate: int) -> str:
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise _missing("soundfile", "audio") from error
    if not samples.size:
        raise InputError("the sound has no samples", seen=f"shape {samples.shape}", remedy="Leave it out.")
    if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
        samples = samples.T  # channels first, as torch has them
    stream = io.BytesIO()
    whole = samples.dtype.kind == "i"
    soundfile.write(
        stream,
        samples.astype(np.int16) if whole else samples.astype(np.float32),
        rate,
        format="WAV",
        subtype="PCM_16" if whole else "FLOAT",
    )
    return data_uri(stream.getvalue(), "audio/wav")


def _missing(package: str, extra: str) -> MissingExtra:
    return MissingExtra(
        f"this needs the package {package}, which is not installed", remedy=f"Run: pip install 'luban[{extra}]'"
    )
