"""The results as a Markdown table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD = ("what", "measure", "Luban", "other", "beside", "asked", "met")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def markdown(records: Iterable[dict[str, Any]]) -> str:
    """Return one line a figure; a comparison that failed shows its error."""
    lines = [_HEAD, ["---"] * len(_HEAD)]
    for record in records:
        if "error" in record:
            lines.append([record["name"], "failed: " + record["error"].replace("|", "/"), *[""] * 5])
        for line in record.get("lines", ()):
            met = {True: "yes", False: "**no**", None: ""}[line["met"]]
            figures = (_number(line["luban"]), _number(line["other"]))
            lines.append([record["name"], line["what"], *figures, line["beside"], line["target"], met])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
