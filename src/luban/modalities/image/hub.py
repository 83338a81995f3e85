"""What a ``preprocessor_config.json`` of the hub says of pictures, as settings of `ImagePixels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")


def options_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, by name.

    The hub's processors resize, crop from the centre, rescale and normalise, each step only where a ``do_...`` says so.

    Raises
    ------
    InputError
        If the size is given in a way that is not known.
    """
    options: dict[str, Any] = {}
    resample = configuration.get("resample")
    if isinstance(resample, int) and 0 <= resample < len(INTERPOLATIONS):
        options["interpolation"] = INTERPOLATIONS[resample]
    options.update(_size(configuration))
    options["scale"] = (
        float(configuration.get("rescale_factor", 1 / 255)) if configuration.get("do_rescale", True) else 1.0
    )
    if configuration.get("do_normalize", True):
        options["mean"] = tuple(float(one) for one in configuration.get("image_mean") or (0.5, 0.5, 0.5))
        options["deviation"] = tuple(float(one) for one in configuration.get("image_std") or (0.5, 0.5, 0.5))
    else:
        options["mean"], options["deviation"] = (0.0,), (1.0,)
    return options


def _size(configuration: Mapping[str, Any]) -> dict[str, Any]:
    size, crop = configuration.get("size"), configuration.get("crop_size")
    if configuration.get("do_center_crop") and crop is not None:
        inner = _sides(crop)
        if isinstance(size, dict) and "shortest_edge" in size:
            return {"size": inner, "fit": "crop", "shortest": int(size["shortest_edge"])}
        if isinstance(size, int):
            return {"size": inner, "fit": "crop", "shortest": size}
        outer = _sides(size) if size is not None else inner
        return {"size": inner, "fit": "crop", "shortest": max(*inner, *outer)}
    if isinstance(size, dict) and "shortest_edge" in size:
        return {"size": (int(size["shortest_edge"]),) * 2, "fit": "crop"}
    return {"size": _sides(size), "fit": "squash"} if size is not None else {}


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and {"height", "width"} <= set(size):
        return int(size["height"]), int(size["width"])
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[0]), int(size[1])
    raise InputError(
        "the size of pictures in a preprocessor_config.json is not understood",
        seen=repr(size)[:100],
        remedy="Give size, fit and shortest yourself.",
    )
