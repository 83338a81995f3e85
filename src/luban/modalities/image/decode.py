"""From the bytes of a picture to its pixels, with one defined outcome for whatever a picture may be.

- Pictures that a camera turned (EXIF orientation) are turned upright.
- Transparent pictures, also palettes with a transparent colour, are laid on white.
- 16 bits a channel are divided by 256 (32-bit integers are taken for 16 bits), never stretched to each picture's own
  range.
- Floating-point pictures hold 0 to 1, or 0 to 255 where a value is above 1.
- CMYK, YCbCr, palettes, grey and black-and-white become RGB. Of an animation the first frame counts.
- A file that ends too early, holds more than 100 million pixels or another format is an error.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MOST_PIXELS = 100_000_000
_DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})


def opened(content: bytes, *, least: tuple[int, int] | None = None) -> Image:
    """Return a picture upright and in RGB, 8 bits a channel.

    Parameters
    ----------
    content : bytes
    least : (int, int), optional
        Width and height that are enough: a JPEG of at least twice as much in both is decoded at a fraction of its size,
        which is several times quicker.

    Raises
    ------
    InputError
        If the picture cannot be read to its end.
    """
    from PIL import Image, ImageOps

    with _open(content) as image:
        if least is not None and image.format == "JPEG":
            side = 2 * max(least)  # it may be turned afterwards
            image.draft("RGB", (side, side))
        image.load()
        plain = _eight_bits(image) if image.mode in _DEEP else image
        upright = ImageOps.exif_transpose(plain) if plain is image else _turned(plain, image)
        if upright.has_transparency_data:
            clear = upright.convert("RGBA")
            white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
            return Image.alpha_composite(white, clear).convert("RGB")
        return upright.convert("RGB")


def pixels(content: bytes) -> np.ndarray:
    """Return the pixels of a picture in RGB, shape (height, width, 3), uint8."""
    return np.asarray(opened(content))


def figures(content: bytes) -> dict[str, Any]:
    """Read a picture to its end and return its width, height, mode, format, frames and whether it is turned."""
    with _open(content) as image:
        found = {
            "width": image.width,
            "height": image.height,
            "mode": image.mode,
            "format": image.format or "",
            "frames": int(getattr(image, "n_frames", 1)) if getattr(image, "is_animated", False) else 1,
            "turned": image.getexif().get(0x0112, 1) not in {0, 1},
        }
    opened(content, least=(1, 1))
    return found


def broken(why: str) -> InputError:
    """Return the error for a picture that cannot be read."""
    return InputError(
        "the picture cannot be read", seen=why[:160], remedy="Give a whole JPEG, PNG, GIF, BMP, WebP, TIFF or PPM file."
    )


@contextmanager
def _open(content: bytes) -> Iterator[Image]:
    """Open a picture; whatever goes wrong while it is open is said as what is wrong with it."""
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise broken("the file is empty")
    _ready()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise broken(f"{image.width:,} x {image.height:,} pixels are more than {MOST_PIXELS:,}")
            yield image
    except UnidentifiedImageError as error:
        raise broken(f"its {len(content):,} bytes are no picture of a known format") from error
    except (OSError, ValueError, SyntaxError, IndexError, OverflowError, Image.DecompressionBombError) as error:
        raise broken(str(error)) from error


@cache
def _ready() -> None:
    """Let Pillow know all its formats, and keep it from warning of large pictures: `MOST_PIXELS` decides."""
    import warnings

    from PIL import Image

    Image.init()
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def _eight_bits(image: Image) -> Image:
    from PIL import Image

    values = np.asarray(image)
    if image.mode == "F":
        finite = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
        scaled = finite * 255.0 if finite.size and finite.max() <= 1.0 else finite
        return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    return Image.fromarray((np.clip(values.astype(np.int64), 0, 65535) >> 8).astype(np.uint8))


def _turned(plain: Image, original: Image) -> Image:
    from PIL import ImageOps

    plain.getexif()[0x0112] = original.getexif().get(0x0112, 1)
    return ImageOps.exif_transpose(plain)
