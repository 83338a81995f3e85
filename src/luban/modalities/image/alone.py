"""Pictures to pixels, as the model's network takes them: numpy and Pillow alone.

This file stands beside `preparation.json` (the settings) and needs nothing else of Luban.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def content(reference: str) -> bytes:
    """Return the bytes behind a path or a data URI."""
    if reference.lower().startswith("data:"):
        return base64.b64decode(reference.partition(",")[2])
    return Path(reference).read_bytes()


def eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 or 32 bits, or of floating-point numbers, with 8 bits."""
    values = np.asarray(image)
    if image.mode == "F":
        finite = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
        scaled = finite * 255.0 if finite.size and finite.max() <= 1.0 else finite
        made = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    else:
        made = Image.fromarray((np.clip(values.astype(np.int64), 0, 65535) >> 8).astype(np.uint8))
    made.getexif()[0x0112] = image.getexif().get(0x0112, 1)
    return made


def opened(data: bytes, least: int) -> Image.Image:
    """Return a picture upright and in RGB; what is transparent is laid on white, an animation is its first frame."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "JPEG":
            image.draft("RGB", (2 * least, 2 * least))  # decoded smaller, which is quicker
        image.load()
        upright = ImageOps.exif_transpose(eight_bits(image) if image.mode in DEEP else image)
        if upright.has_transparency_data:
            clear = upright.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", clear.size, (255, 255, 255, 255)), clear).convert("RGB")
        return upright.convert("RGB")


def sized(image: Image.Image, settings: dict[str, Any]) -> Image.Image:
    """Return a picture of the size that the network takes."""
    how = getattr(Image.Resampling, settings["interpolation"].upper())
    height, width = settings["size"]
    if settings["fit"] == "squash":
        return image if image.size == (width, height) else image.resize((width, height), how)
    if settings["fit"] == "pad":
        ratio = min(width / image.width, height / image.height)
        inner = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
        canvas = Image.new("RGB", (width, height))
        resized = image if image.size == inner else image.resize(inner, how)
        canvas.paste(resized, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return canvas
    side = settings["shortest"] or max(height, width)
    short, long = sorted(image.size)
    other = int(side * long / short)
    whole = (side, other) if image.width <= image.height else (other, side)
    if image.size != whole:
        image = image.resize(whole, how)
    left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
    return image if image.size == (width, height) else image.crop((left, top, left + width, top + height))


def prepare(rows: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Return the tensor of rows ({column: path or data URI}); a missing picture is 0 everywhere."""
    settings = json.loads((folder / "preparation.json").read_text(encoding="utf-8"))
    channels, (height, width) = settings["channels"], settings["size"]
    values: np.ndarray = np.zeros((len(rows), channels, height, width), dtype=np.float32)
    levels = np.arange(256, dtype=np.float64) * settings["scale"]
    mean = np.broadcast_to(np.array(settings["mean"], dtype=np.float64), (channels,))
    deviation = np.broadcast_to(np.array(settings["deviation"], dtype=np.float64), (channels,))
    for row, one in enumerate(rows):
        reference = one.get(settings["columns"][0])
        if not reference:
            continue
        picture = sized(opened(content(reference), settings["shortest"] or max(height, width)), settings)
        pixels = np.asarray(picture if channels == 3 else picture.convert("L")).reshape(height, width, channels)
        for channel in range(channels):
            lookup = ((levels - mean[channel]) / deviation[channel]).astype(np.float32)
            values[row, channel] = lookup[pixels[:, :, channel]]
    return {"pixel_values": values}
