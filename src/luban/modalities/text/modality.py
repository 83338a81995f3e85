"""The text modality: which columns hold running text, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from luban.core.report import Evidence, Finding
from luban.data.infer import SAMPLE, infer_schema
from luban.data.storage import plain_type
from luban.modalities.figures import quantiles, spread
from luban.modalities.text.languages import languages
from luban.modalities.text.scripts import scripts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LANGUAGES_FROM = 1_000
_LEVELS = ("min", "q5", "median", "q95", "max")


class TextModality:
    """Running text, in any script."""

    def detect(self, name: str, values: pa.ChunkedArray) -> str | None:
        """Return ``text`` for running text, or None.

        The rule is that of `luban.data.infer`, so that a column has one kind wherever it is looked at: columns of few
        different values are categories, however long the words.
        """
        return "text" if infer_schema(pa.table({name: values})).columns[0].kind == "text" else None

    def profile(self, name: str, values: pa.ChunkedArray) -> Mapping[str, Any]:  # noqa: ARG002 - the name says nothing
        """Return lengths, scripts, languages, empty texts and duplicates."""
        if not pa.types.is_string(plain_type(values.type)):
            return {"kind": "text", "rows": len(values), "missing": values.null_count}
        texts = values.cast(pa.large_string())
        present = spread(texts.drop_null(), SAMPLE)
        plain = pc.utf8_trim_whitespace(present)
        empty = int(pc.sum(pc.equal(plain, "")).as_py() or 0)
        full = plain.filter(pc.not_equal(plain, ""))
        return {
            "kind": "text",
            "rows": len(values),
            "missing": values.null_count,
            "looked_at": len(present),
            "empty": empty,
            "duplicates": len(full) - len(full.unique()),
            "characters": quantiles(pc.utf8_length(full).to_numpy()),
            "words": quantiles(1 + pc.count_substring_regex(full, r"\s+").to_numpy()),
            "scripts": scripts(full),
            "languages": languages(spread(full, _LANGUAGES_FROM).to_pylist()),
        }

    def findings(self, name: str, figures: Mapping[str, Any]) -> Sequence[Finding]:
        """Return what the figures mean, in words."""
        if not figures.get("looked_at"):
            return []
        looked = figures["looked_at"]
        findings = [_overview(name, figures)]
        if figures["empty"]:
            share = figures["empty"] / looked
            findings.append(
                Finding(
                    what=f"{figures['empty']:,} texts of {name!r} are empty",
                    verdict="warn" if share > 0.05 else "info",
                    value=round(share, 4),
                    threshold=0.05,
                    remedy="Leave them out if they are mistakes." if share > 0.05 else "",
                )
            )
        if figures["duplicates"]:
            share = figures["duplicates"] / looked
            findings.append(
                Finding(
                    what=f"{figures['duplicates']:,} texts of {name!r} repeat another",
                    verdict="warn" if share > 0.2 else "info",
                    value=round(share, 4),
                    threshold=0.2,
                    remedy="The same text in training and validation makes a model look better than it is."
                    if share > 0.2
                    else "",
                )
            )
        return findings


def _overview(name: str, figures: Mapping[str, Any]) -> Finding:
    characters, words = figures["characters"], figures["words"]
    if not characters:
        return Finding(what=f"Texts of {name!r}: all are empty", verdict="warn")
    written = (
        ", ".join(f"{script} {share:.0%}" for script, share in list(figures["scripts"].items())[:3]) or "no letters"
    )
    spoken = ", ".join(f"{one} {share:.0%}" for one, share in list(figures["languages"].items())[:3])
    rows = tuple(
        (what, *(sizes.get(one) for one in _LEVELS)) for what, sizes in (("characters", characters), ("words", words))
    )
    return Finding(
        what=f"Texts of {name!r}: half of them up to {characters['median']:g} characters; script {written}"
        + (f"; language {spoken}" if spoken else ""),
        evidence=(Evidence(title=f"Lengths of {name}", columns=("what", *_LEVELS), rows=rows),),
    )
