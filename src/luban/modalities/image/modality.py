"""The image modality: which columns hold pictures, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.report import Evidence, Finding
from luban.data.media.recognise import kind_of_references
from luban.data.storage import plain_type
from luban.modalities.figures import counted, examined, files_findings, quantiles
from luban.modalities.image import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ImageModality:
    """Photographs, drawings, scans."""

    def detect(self, name: str, values: pa.ChunkedArray) -> str | None:  # noqa: ARG002 - the name says nothing
        """Return ``image`` where the values are references to pictures, or None."""
        return "image" if kind_of_references(values) == "image" else None

    def examine(self, content: bytes) -> Mapping[str, Any]:
        """Read a picture to its end and return its figures, or raise `InputError` with what is wrong with it."""
        return decode.figures(content)

    def profile(self, name: str, values: pa.ChunkedArray) -> Mapping[str, Any]:  # noqa: ARG002 - the name says nothing
        """Return sizes, modes, formats, how many are animated, turned, equal or broken; from 5,000 pictures at most."""
        if not pa.types.is_string(plain_type(values.type)):
            return {"kind": "image", "rows": len(values), "missing": values.null_count}
        good, figures = examined(values, self.examine)
        return {
            "kind": "image",
            "rows": len(values),
            "missing": values.null_count,
            **figures,
            "width": quantiles([one["width"] for one in good]),
            "height": quantiles([one["height"] for one in good]),
            "modes": counted([one["mode"] for one in good]),
            "formats": counted([one["format"] for one in good]),
            "animated": sum(one["frames"] > 1 for one in good),
            "turned": sum(bool(one["turned"]) for one in good),
        }

    def findings(self, name: str, figures: Mapping[str, Any]) -> Sequence[Finding]:
        """Return what the figures mean, in words."""
        if not figures.get("looked_at"):
            return []
        findings = [_sizes(name, figures), *files_findings(name, figures, "pictures")]
        odd = {mode: count for mode, count in figures["modes"].items() if mode not in {"RGB", "L", "1"}}
        if odd:
            shown = ", ".join(
                f"{count:,} x {mode}: {_MODES.get(mode, 'converted to RGB')}" for mode, count in odd.items()
            )
            findings.append(Finding(what=f"Pictures of {name!r} in other modes than RGB and grey: {shown}"))
        if figures["animated"]:
            what = f"{figures['animated']:,} pictures of {name!r} are animated; the first frame counts"
            findings.append(Finding(what=what, value=figures["animated"]))
        if figures["turned"]:
            what = f"{figures['turned']:,} pictures of {name!r} were taken with a turned camera; they are set upright"
            findings.append(Finding(what=what, value=figures["turned"]))
        return findings


_MODES = {
    "CMYK": "converted to RGB",
    "P": "a palette, converted to RGB, what is transparent laid on white",
    "PA": "a palette, converted to RGB, what is transparent laid on white",
    "RGBA": "what is transparent is laid on white",
    "LA": "what is transparent is laid on white",
    "I;16": "16 bits, divided by 256",
    "I;16B": "16 bits, divided by 256",
    "I": "32 bits, taken for 16 and divided by 256",
    "F": "floating point, taken for 0 to 1 or 0 to 255",
}


def _sizes(name: str, figures: Mapping[str, Any]) -> Finding:
    width, height = figures["width"], figures["height"]
    looked = figures["looked_at"]
    sampled = f" ({looked:,} of {figures['rows']:,} looked at)" if looked < figures["rows"] - figures["missing"] else ""
    middle = f"half of them up to {width['median']:g} x {height['median']:g} pixels" if width else "none can be read"
    rows = tuple((side, *(sizes.get(one) for one in _LEVELS)) for side, sizes in (("width", width), ("height", height)))
    return Finding(
        what=f"Pictures of {name!r}: {middle}{sampled}",
        evidence=(Evidence(title=f"Sizes of {name} in pixels", columns=("side", *_LEVELS), rows=rows),),
    )


_LEVELS = ("min", "q5", "median", "q95", "max")
