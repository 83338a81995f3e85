"""Pictures as the pixels that a network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.core.errors import InputError, LubanError
from luban.core.preparation import Tensor
from luban.data.media import content
from luban.data.media.mapping import mapped
from luban.data.media.reference import shown
from luban.modalities import settings
from luban.modalities.image import augment, depict
from luban.modalities.image.decode import opened
from luban.modalities.program import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from PIL.Image import Image

    from luban.core.preparation import Program
    from luban.core.report import Finding
    from luban.core.space import Space

FITS = ("crop", "squash", "pad")
INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""In the order of Pillow's and the hub's numbers for them (``resample``: 0 to 5)."""


@dataclass(frozen=True, kw_only=True)
class ImagePixels:
    """Pixels of one column of pictures: ``pixel_values``, float32, shape (n, channels, height, width).

    A value v of 0 to 255 becomes (v * scale - mean) / deviation. A missing picture is 0 everywhere, which is the mean
    colour.

    Parameters
    ----------
    columns : tuple of str
        One.
    size : (int, int)
        Height and width of what the network takes.
    fit : str
        ``crop``: the shorter side becomes `shortest` and the middle is cut out; ``squash``: both sides are resized;
        ``pad``: the longer side fits and the rest is black.
    shortest : int
        For ``crop``; 0 is the larger of `size`.
    interpolation : str
        ``nearest``, ``lanczos``, ``bilinear``, ``bicubic``, ``box`` or ``hamming``.
    scale : float
    mean, deviation : tuple of float
        One a channel, or one for all.
    channels : int
        3 for RGB, 1 for grey.
    """

    name: ClassVar[str] = "image_pixels"

    columns: tuple[str, ...]
    size: tuple[int, int] = (224, 224)
    fit: str = "crop"
    shortest: int = 0
    interpolation: str = "bicubic"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    channels: int = 3

    def __post_init__(self) -> None:
        if len(self.columns) != 1:
            raise InputError("pixels are made of one column", seen=f"{len(self.columns)} columns", remedy="Name one.")
        sound = (
            self.fit in FITS
            and self.interpolation in INTERPOLATIONS
            and self.channels in {1, 3}
            and all(1 <= side <= 4096 for side in self.size)
            and (self.shortest == 0 or max(self.size) <= self.shortest <= 8192)
            and len(self.mean) in {1, self.channels}
            and len(self.deviation) in {1, self.channels}
            and all(one > 0 for one in self.deviation)
        )
        if not sound:
            raise InputError(
                "pictures cannot be prepared like this",
                seen=f"size {self.size}, fit {self.fit!r}, shortest {self.shortest}, interpolation "
                f"{self.interpolation!r}, {self.channels} channels, means {self.mean}, deviations {self.deviation}",
                remedy=f"fit: {', '.join(FITS)}; interpolation: {', '.join(INTERPOLATIONS)}; channels: 1 or 3; a "
                "mean and a positive deviation a channel; shortest at least the size.",
            )

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""
        return {"pixel_values": Tensor(dtype="float32", shape=(self.channels, *self.size))}

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensor of these rows."""
        return self.finished(self.taken(table))

    def taken(self, table: pa.Table) -> list[np.ndarray | None]:
        """Return the pictures, each uint8 of shape (height, width, channels), already of the right size."""
        references = table.column(self.columns[0]).to_pylist()
        return list(mapped(self._picture, references))

    @property
    def augmentations(self) -> Space:
        """Crop, flip, colour and RandAugment; see `luban.modalities.image.augment`."""
        return augment.SPACE

    def varied(
        self, taken: Sequence[np.ndarray | None], parameters: Mapping[str, Any], random: np.random.Generator
    ) -> list[np.ndarray | None]:
        """Return the pictures cropped, flipped and coloured at random, of the same size."""
        return [None if one is None else augment.varied(one, parameters, random) for one in taken]

    def finished(self, taken: Sequence[np.ndarray | None]) -> dict[str, np.ndarray]:
        """Return the tensor of these pictures."""
        values: np.ndarray = np.zeros((len(taken), self.channels, *self.size), dtype=np.float32)
        lookup = self._lookup()
        for row, one in enumerate(taken):
            if one is not None:
                for channel in range(self.channels):
                    values[row, channel] = lookup[channel][one[:, :, channel]]
        return {"pixel_values": values}

    def picture(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the picture of one row as the network takes it, uint8 of shape (height, width, 3)."""
        return depict.drawn(tensors["pixel_values"][0], self.scale, np.array(self.mean), np.array(self.deviation))

    def covered(self, tensors: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
        """Return the picture with cells of a grid covered by its mean colour."""
        return {"pixel_values": depict.covered(tensors["pixel_values"][0], kept)}

    def axes(self, tensors: Mapping[str, np.ndarray]) -> tuple[str, str]:
        """Return nothing: a picture needs no axes."""
        del tensors
        return "", ""

    def inspect(self, table: pa.Table, *, seconds: float = math.inf) -> Sequence[Finding]:
        """Find pictures that are missing, and pictures much smaller than what the network takes."""
        from luban.modalities.image.inspect import inspect

        return inspect(self, table, seconds=seconds)

    def save(self) -> Mapping[str, bytes]:
        """Return the settings."""
        return {settings.NAME: settings.written(self)}

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> ImagePixels:
        """Return what `save` wrote, or raise `Tampered` where it is damaged."""
        return settings.construct(cls, settings.read(cls, payloads))

    def program(self) -> Program:
        """Return the program that makes the same tensors without Luban."""
        return program("image", "pillow")

    @classmethod
    def like(cls, columns: Sequence[str], configuration: Mapping[str, Any], **options: Any) -> ImagePixels:
        """Return the preparation that a ``preprocessor_config.json`` of the hub describes.

        Raises
        ------
        InputError
            If it asks for a step that is not here.
        """
        from luban.modalities.image.hub import options_of

        return cls(columns=tuple(columns), **{**options_of(configuration), **options})

    def _lookup(self) -> np.ndarray:
        """Return the float32 of each of the 256 values, shape (channels, 256)."""
        value = np.arange(256, dtype=np.float64) * self.scale
        mean = np.broadcast_to(np.array(self.mean), (self.channels,))[:, None]
        deviation = np.broadcast_to(np.array(self.deviation), (self.channels,))[:, None]
        table: np.ndarray = ((value - mean) / deviation).astype(np.float32)
        return table

    def _picture(self, reference: str | None) -> np.ndarray | None:
        if reference is None:
            return None
        side = self.shortest or max(self.size)
        try:
            image = opened(content(reference), least=(side, side))
        except LubanError as error:
            raise type(error)(f"{error.happened}: {shown(reference)}", seen=error.seen, remedy=error.remedy) from error
        sized = self._sized(image)
        values = np.asarray(sized if self.channels == 3 else sized.convert("L"))
        return values if self.channels == 3 else values[:, :, None]

    def _sized(self, image: Image) -> Image:
        import PIL.Image

        how = getattr(PIL.Image.Resampling, self.interpolation.upper())
        height, width = self.size
        if self.fit == "squash":
            return image if image.size == (width, height) else image.resize((width, height), how)
        if self.fit == "pad":
            ratio = min(width / image.width, height / image.height)
            inner = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
            canvas = PIL.Image.new("RGB", (width, height))
            resized = image if image.size == inner else image.resize(inner, how)
            canvas.paste(resized, ((width - inner[0]) // 2, (height - inner[1]) // 2))
            return canvas
        side = self.shortest or max(self.size)
        short, long = sorted(image.size)
        other = int(side * long / short)
        whole = (side, other) if image.width <= image.height else (other, side)
        if image.size != whole:
            image = image.resize(whole, how)
        left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
        return image if image.size == (width, height) else image.crop((left, top, left + width, top + height))
