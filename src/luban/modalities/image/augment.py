"""Pictures varied at random: crop, flip, colour, and RandAugment, with Pillow and NumPy alone.

Crops follow the inception crop (C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015); RandAugment is that of
E. D. Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space" (NeurIPS 2020): a
number of operations chosen at random, all of one magnitude out of 10.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.space import Choice, Integer, Real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL.Image import Image

    from luban.core.space import Space

SPACE: Space = {
    "crop": Real(0.0, 0.6),
    "flip": Choice((False, True)),
    "colour": Real(0.0, 0.5),
    "operations": Integer(0, 3),
    "magnitude": Real(1.0, 10.0),
    "mixup": Real(0.0, 0.4),
}
_GREY = (124, 116, 104)


def varied(picture: np.ndarray, parameters: Mapping[str, Any], random: np.random.Generator) -> np.ndarray:
    """Return a picture of the same size, varied at random.

    Parameters
    ----------
    picture : numpy.ndarray
        Shape (height, width, channels), uint8.
    parameters : mapping
        ``crop``: up to this share of the area is cut away, and the rest enlarged; ``flip``: left and right are
        exchanged half of the time; ``colour``: brightness, contrast and saturation change by up to this share;
        ``operations`` of RandAugment with ``magnitude`` 0 to 10.
    random : numpy.random.Generator
    """
    crop, colour = float(parameters.get("crop", 0.0)), float(parameters.get("colour", 0.0))
    operations = int(parameters.get("operations", 0))
    if parameters.get("flip") and random.random() < 0.5:
        picture = picture[:, ::-1]
    if crop <= 0 and colour <= 0 and operations <= 0:
        return np.ascontiguousarray(picture)
    grey = picture.shape[2] == 1
    import PIL.Image

    image = PIL.Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if grey else picture))
    if crop > 0:
        image = _cropped(image, crop, random)
    if colour > 0:
        image = _coloured(image, colour, random)
    magnitude = min(10.0, float(parameters.get("magnitude", 9.0))) / 10
    for _ in range(operations):
        image = _OPERATIONS[int(random.integers(len(_OPERATIONS)))](image, magnitude, _sign(random))
    values = np.asarray(image)
    return values[:, :, None] if grey else values


def _sign(random: np.random.Generator) -> int:
    return 1 if random.random() < 0.5 else -1


def _cropped(image: Image, share: float, random: np.random.Generator) -> Image:
    area = random.uniform(1 - min(share, 0.95), 1.0)
    ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
    width = min(image.width, max(1, round(image.width * math.sqrt(area * ratio))))
    height = min(image.height, max(1, round(image.height * math.sqrt(area / ratio))))
    left = int(random.integers(image.width - width + 1))
    top = int(random.integers(image.height - height + 1))
    import PIL.Image

    return image.resize(image.size, PIL.Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))


def _coloured(image: Image, share: float, random: np.random.Generator) -> Image:
    from PIL import ImageEnhance

    kinds = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    for place in random.permutation(len(kinds)):
        if place == 2 and image.mode == "L":
            continue
        image = kinds[int(place)](image).enhance(1 + random.uniform(-share, share))
    return image


def _enhanced(name: str) -> Callable[[Image, float, int], Image]:
    def operation(image: Image, magnitude: float, sign: int) -> Image:
        from PIL import ImageEnhance

        changed: Image = getattr(ImageEnhance, name)(image).enhance(1 + 0.9 * magnitude * sign)
        return changed

    return operation


def _moved(matrix: Callable[[float, Image], tuple[float, ...]]) -> Callable[[Image, float, int], Image]:
    def operation(image: Image, magnitude: float, sign: int) -> Image:
        import PIL.Image

        fill: Any = _GREY if image.mode == "RGB" else _GREY[1]
        data = matrix(magnitude * sign, image)
        return image.transform(
            image.size, PIL.Image.Transform.AFFINE, data, PIL.Image.Resampling.BILINEAR, fillcolor=fill
        )

    return operation


def _rotated(image: Image, magnitude: float, sign: int) -> Image:
    import PIL.Image

    fill: Any = _GREY if image.mode == "RGB" else _GREY[1]
    return image.rotate(30 * magnitude * sign, PIL.Image.Resampling.BILINEAR, fillcolor=fill)


def _posterised(image: Image, magnitude: float, sign: int) -> Image:  # noqa: ARG001 - one signature for all operations
    from PIL import ImageOps

    return ImageOps.posterize(image, 8 - round(4 * magnitude))


def _solarised(image: Image, magnitude: float, sign: int) -> Image:  # noqa: ARG001 - one signature for all operations
    from PIL import ImageOps

    return ImageOps.solarize(image, round(256 * (1 - magnitude)))


def _stretched(image: Image, magnitude: float, sign: int) -> Image:  # noqa: ARG001 - one signature for all operations
    from PIL import ImageOps

    return ImageOps.autocontrast(image)


def _equalised(image: Image, magnitude: float, sign: int) -> Image:  # noqa: ARG001 - one signature for all operations
    from PIL import ImageOps

    return ImageOps.equalize(image)


def _as_it_is(image: Image, magnitude: float, sign: int) -> Image:  # noqa: ARG001 - one signature for all operations
    return image


_OPERATIONS: tuple[Callable[[Image, float, int], Image], ...] = (
    _as_it_is,
    _stretched,
    _equalised,
    _rotated,
    _solarised,
    _posterised,
    _enhanced("Color"),
    _enhanced("Contrast"),
    _enhanced("Brightness"),
    _enhanced("Sharpness"),
    _moved(lambda amount, _: (1, 0.3 * amount, 0, 0, 1, 0)),
    _moved(lambda amount, _: (1, 0, 0, 0.3 * amount, 1, 0)),
    _moved(lambda amount, image: (1, 0, 0.3 * amount * image.width, 0, 1, 0)),
    _moved(lambda amount, image: (1, 0, 0, 0, 1, 0.3 * amount * image.height)),
)
