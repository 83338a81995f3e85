"""What an operation is given as data: a file, a data set of the workspace, or an object in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.dataset import Dataset
    from luban.store import Workspace

_REFERENCE = re.compile(r"[^/\\@]+(/\d+)?")


def stored(workspace: Workspace, data: Any) -> Dataset | None:
    """Return the data set of the workspace that `data` names, or None where it names none.

    A file of the same name goes first.
    """
    if not isinstance(data, str) or Path(data).exists() or not _REFERENCE.fullmatch(data):
        return None
    name, _, version = data.partition("/")
    if all(dataset.name != name for dataset in workspace.datasets.list()):
        return None
    return workspace.datasets.get(f"{name}/{version}" if version else name)


def read_table(workspace: Workspace, data: Any) -> pa.Table:
    """Return the rows that `data` names as one Arrow table."""
    from luban.data import read, versions

    dataset = stored(workspace, data)
    if dataset is not None:
        return versions.table(workspace, dataset)
    return read.table(data)


def name_for(data: Any) -> str:
    """Return a name for what is made from `data`: the stem of its file, or ``model``."""
    if isinstance(data, str | Path):
        stem = Path(str(data).split("/")[-2] if re.fullmatch(r".+/\d+", str(data)) else str(data)).name.split(".")[0]
        plain = re.sub(r"[^\w.-]+", "_", stem).strip("_.-")
        if plain:
            return plain
    return "model"


def target_of(table: pa.Table, target: str) -> pa.ChunkedArray:
    """Return the column of true values, or say that it is missing."""
    if target not in table.column_names:
        raise InputError(
            f"the column {target!r}, which the model predicts, is not in the data",
            seen=f"columns {', '.join(table.column_names[:20])}",
            remedy="Give rows with their true values.",
        )
    return table.column(target)
