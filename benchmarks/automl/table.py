"""The results as a Markdown table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("set", "system", "metric", "score", "log loss", "fit s", "model MB", "row p50 ms", "batch rows/s")


def _number(record: dict[str, Any], key: str, digits: int, scale: float = 1.0) -> str:
    return f"{record[key] * scale:,.{digits}f}" if key in record else ""


def _cells(record: dict[str, Any]) -> list[str]:
    named = [str(record["set"]), str(record["system"]), str(record["metric"])]
    if "error" in record:
        return [*named, "failed: " + str(record["error"]).replace("|", "/"), "", "", "", "", ""]
    return [
        *named,
        _number(record, "score", 2 if record["metric"] == "rmse" else 5),
        _number(record, "log_loss", 5),
        _number(record, "wall_seconds", 1),
        _number(record, "size_bytes", 1, 1e-6),
        _number(record, "latency_p50_ms", 2),
        _number(record, "batch_rows_per_second", 0),
    ]


def markdown(records: Iterable[dict[str, Any]]) -> str:
    """One line a system and set, in the order given; a failure shows its error in the place of the score."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *map(_cells, records)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
