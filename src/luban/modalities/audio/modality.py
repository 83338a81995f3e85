"""The audio modality: which columns hold sounds, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.report import Evidence, Finding
from luban.data.media.recognise import kind_of_references
from luban.data.storage import plain_type
from luban.modalities.audio import decode
from luban.modalities.figures import counted, examined, files_findings, quantiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONG = 300.0
"""Seconds above which a sound is a recording to be cut rather than an example."""
QUIET = 1e-4
_LEVELS = ("min", "q5", "median", "q95", "max")


class AudioModality:
    """Speech, music, noises."""

    def detect(self, name: str, values: pa.ChunkedArray) -> str | None:  # noqa: ARG002 - the name says nothing
        """Return ``audio`` where the values are references to sounds, or None."""
        return "audio" if kind_of_references(values) == "audio" else None

    def examine(self, content: bytes) -> Mapping[str, Any]:
        """Read a sound to its end and return its figures, or raise `InputError` with what is wrong with it."""
        return decode.figures(content)

    def profile(self, name: str, values: pa.ChunkedArray) -> Mapping[str, Any]:  # noqa: ARG002 - the name says nothing
        """Return durations, rates, channels, formats, silent, equal and broken ones; from 5,000 sounds at most."""
        if not pa.types.is_string(plain_type(values.type)):
            return {"kind": "audio", "rows": len(values), "missing": values.null_count}
        good, figures = examined(values, self.examine)
        return {
            "kind": "audio",
            "rows": len(values),
            "missing": values.null_count,
            **figures,
            "seconds": quantiles([one["seconds"] for one in good]),
            "total_seconds": round(sum(one["seconds"] for one in good), 3),
            "rates": counted([one["rate"] for one in good]),
            "channels": counted([one["channels"] for one in good]),
            "formats": counted([one["format"] for one in good]),
            "silent": sum(one["peak"] < QUIET for one in good),
            "long": sum(one["seconds"] > LONG for one in good),
        }

    def findings(self, name: str, figures: Mapping[str, Any]) -> Sequence[Finding]:
        """Return what the figures mean, in words."""
        if not figures.get("looked_at"):
            return []
        findings = [_durations(name, figures), *files_findings(name, figures, "sounds")]
        rates = figures["rates"]
        if len(rates) > 1:
            shown = ", ".join(f"{int(rate):,} Hz ({count:,})" for rate, count in rates.items())
            findings.append(
                Finding(
                    what=f"The sounds of {name!r} have {len(rates)} sample rates: {shown}",
                    verdict="warn",
                    value=len(rates),
                    threshold=1,
                    remedy="All are resampled to one; where the rate goes with the class, record all alike.",
                )
            )
        if figures["silent"]:
            findings.append(
                Finding(
                    what=f"{figures['silent']:,} sounds of {name!r} are silent",
                    verdict="warn",
                    value=figures["silent"],
                    threshold=0,
                    remedy="Leave them out unless silence is what they show.",
                )
            )
        if figures["long"]:
            findings.append(
                Finding(
                    what=f"{figures['long']:,} sounds of {name!r} are longer than {LONG / 60:g} minutes; "
                    "a network hears only the first seconds of each",
                    verdict="warn",
                    value=figures["seconds"]["max"],
                    threshold=LONG,
                    remedy="Cut long recordings into pieces, a row each, with the label of what is heard in it.",
                )
            )
        return findings


def _durations(name: str, figures: Mapping[str, Any]) -> Finding:
    seconds, looked = figures["seconds"], figures["looked_at"]
    sampled = f" ({looked:,} of {figures['rows']:,} looked at)" if looked < figures["rows"] - figures["missing"] else ""
    middle = (
        f"half of them up to {seconds['median']:.3g} s, {figures['total_seconds'] / 3600:.3g} h in all"
        if seconds
        else "none can be read"
    )
    row = ("seconds", *(seconds.get(one) for one in _LEVELS))
    return Finding(
        what=f"Sounds of {name!r}: {middle}{sampled}",
        evidence=(Evidence(title=f"Durations of {name}", columns=("what", *_LEVELS), rows=(row,)),),
    )
