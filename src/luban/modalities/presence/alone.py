"""Which values are there, and how many words: numpy alone.

This file stands beside `preparation.json` (the settings), and needs nothing else of Luban.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def prepare(rows: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Return the tensor of rows ({column: value}): 1 where there is a value or a word, else 0."""
    settings = json.loads((folder / "preparation.json").read_text(encoding="utf-8"))
    values = [row.get(settings["columns"][0]) for row in rows]
    counts = np.array([len((one or "").split()) if settings["words"] else bool(one) for one in values], dtype=np.int64)
    steps = np.arange(max(1, counts.max(initial=0)))
    return {"present": (steps < counts[:, None]).astype(np.float32)}
