"""A map of weights drawn over a picture, as a data URI of a few kilobytes."""

from __future__ import annotations

import base64
import io

import numpy as np

_SIDE = 256  # longest side in points
_LEAST = 160
_PLANE = (300, 170)
_FOR, _AGAINST = (214, 84, 16), (20, 90, 165)
_OUTLINED = 0.5


def plain(picture: np.ndarray, *, stretched: bool = False) -> str:
    """Return a picture (height, width, 3), uint8, as a data URI; `stretched` where its sides are of different units."""
    return _written(_sized(picture, stretched))


def over(picture: np.ndarray, weights: np.ndarray, *, stretched: bool = False) -> str:
    """Return the picture in grey, with what speaks for the answer in orange and what speaks against it in blue.

    Where a weight is above half of the largest it is outlined, so that it shows without colours too.

    Parameters
    ----------
    weights : numpy.ndarray
        Shape (r, c), in [-1, 1], over the whole picture.
    """
    from PIL import Image

    base = _sized(picture, stretched)
    height, width = base.shape[:2]
    smooth = Image.fromarray(weights.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    heat = np.clip(np.asarray(smooth), -1, 1)
    grey = base.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    grey = 0.8 * grey + 0.2 * 255
    share = 0.62 * np.abs(heat)[:, :, None] ** 0.8
    colour = np.where(heat[:, :, None] > 0, np.array(_FOR), np.array(_AGAINST))
    drawn = grey[:, :, None] * (1 - share) + colour * share
    inside = heat > _OUTLINED
    edge = inside & ~_eroded(inside)
    drawn[_eroded(~edge) ^ ~edge] = 255
    drawn[edge] = 0
    return _written(np.rint(drawn).astype(np.uint8))


def _eroded(mask: np.ndarray) -> np.ndarray:
    wide = np.pad(mask, 1, constant_values=True)
    found: np.ndarray = wide[1:-1, 1:-1] & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return found


def _sized(picture: np.ndarray, stretched: bool) -> np.ndarray:
    """Return the picture at a size that can be seen and is small: points stay square where it is enlarged."""
    from PIL import Image

    if stretched:
        return np.asarray(Image.fromarray(picture).resize(_PLANE, Image.Resampling.BOX))
    height, width = picture.shape[:2]
    if max(height, width) > _SIDE:
        ratio = _SIDE / max(height, width)
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    times = max(1, -(-_LEAST // max(1, min(height, width))))
    times = max(1, min(times, 2 * _SIDE // max(height, width)))
    return np.repeat(np.repeat(picture, times, axis=0), times, axis=1)


def _written(picture: np.ndarray) -> str:
    """Return the picture in the smaller of two forms: drawings are small as PNG, photographs as JPEG."""
    from PIL import Image

    image = Image.fromarray(picture)
    forms = {}
    for name, made, options in (
        ("png", image.quantize(64, dither=Image.Dither.NONE), {"optimize": True}),
        ("jpeg", image, {"quality": 82}),
    ):
        buffer = io.BytesIO()
        made.save(buffer, name, **options)
        forms[name] = buffer.getvalue()
    name, content = min(forms.items(), key=lambda pair: len(pair[1]))
    return f"data:image/{name};base64,{base64.b64encode(content).decode()}"
