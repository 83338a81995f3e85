"""What the profiles of texts, pictures and sounds share: samples, quantiles, and files that cannot be read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.core.report import Evidence, Finding
from luban.data.media import content
from luban.data.media.mapping import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FILES = 5_000
"""Files that a profile reads; of more, some spread evenly."""
MOST_LISTED = 20
FIGURES = "q5", "median", "q95"


def spread(values: pa.ChunkedArray, most: int) -> pa.ChunkedArray:
    """Return at most so many values, evenly spaced."""
    if len(values) <= most:
        return values
    return values.take(pa.array(np.linspace(0, len(values) - 1, most).astype(np.int64)))


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Return least, 5 %, middle, 95 % and largest value; empty where there are none."""
    if not len(values):
        return {}
    found = np.quantile(np.asarray(values, dtype=np.float64), [0, 0.05, 0.5, 0.95, 1])
    return {name: round(float(one), 4) for name, one in zip(("min", "q5", "median", "q95", "max"), found, strict=True)}


def counted(values: Sequence[Any]) -> dict[str, int]:
    """Return how often each value occurs, the most frequent first, ten at most."""
    from collections import Counter

    return {str(name): count for name, count in Counter(values).most_common(10)}


def examined(
    values: pa.ChunkedArray, examine: Callable[[bytes], Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """Read files to their end; return the figures of each that can be read, and those of all.

    The latter: ``looked_at``, ``unreadable``, ``unreadable_files`` (name and reason), ``duplicates`` (files whose
    content another has), ``bytes``.
    """

    def one(reference: str) -> tuple[str, Mapping[str, Any] | str, str, int]:
        try:
            data = content(reference)
            return reference, examine(data), hashlib.sha256(data).hexdigest(), len(data)
        except LubanError as error:
            return reference, error.seen or error.happened, "", 0

    present = spread(values.drop_null(), FILES)
    good: list[Mapping[str, Any]] = []
    bad: list[dict[str, str]] = []
    digests: set[str] = set()
    sizes = []
    for reference, found, digest, size in mapped(one, present.to_pylist()):
        if isinstance(found, str):
            bad.append({"name": _name(reference), "why": found})
        else:
            good.append(found)
            digests.add(digest)
            sizes.append(size)
    return good, {
        "looked_at": len(present),
        "unreadable": len(bad),
        "unreadable_files": bad[:MOST_LISTED],
        "duplicates": len(good) - len(digests),
        "bytes": quantiles(sizes),
    }


def files_findings(name: str, figures: Mapping[str, Any], what: str) -> list[Finding]:
    """Return the findings that pictures and sounds share: files that cannot be read, and files that occur twice."""
    findings = []
    looked, bad = int(figures["looked_at"]), int(figures["unreadable"])
    if bad:
        rows = tuple((one["name"], one["why"]) for one in figures["unreadable_files"])
        findings.append(
            Finding(
                what=f"{bad:,} of {looked:,} {what} of {name!r} cannot be read; they are taken as missing",
                verdict="block" if 2 * bad > looked else "warn",
                value=round(bad / looked, 4),
                threshold=0.5,
                evidence=(Evidence(title=f"Unreadable {what}", columns=("file", "why"), rows=rows),),
                remedy="Replace these files, or leave them out.",
            )
        )
    twice = int(figures["duplicates"])
    if twice:
        findings.append(
            Finding(
                what=f"{twice:,} of {looked:,} {what} of {name!r} have the content of another",
                verdict="warn" if 100 * twice > looked else "info",
                value=round(twice / looked, 4),
                threshold=0.01,
                remedy="The same file in training and validation flatters a model; keep one of each.",
            )
        )
    return findings


def _name(reference: str) -> str:
    from luban.data.media.reference import is_data_uri, shown

    return shown(reference) if is_data_uri(reference) else reference[-160:]
