"""What an operation is given as data: a file, a data set of the workspace, or an object in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.dataset import Dataset
from luban.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.core.task import Task
    from luban.store import Workspace

_PASSWORD = re.compile(r"(://[^:/@]*):[^@]+@")
_REFERENCE = re.compile(r"[^/\\@]+(/\d+)?")


def stored(workspace: Workspace, data: Any) -> Dataset | None:
    """Return the data set of the workspace that `data` is or names, or None where it is none.

    A file of the same name goes first.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, str) or Path(data).exists() or not _REFERENCE.fullmatch(data):
        return None
    if not workspace.root.is_dir():  # nothing was ever kept, and looking must not make a workspace
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
    """Return a name for what is made from `data`: that of the data set, the stem of its file, or ``model``."""
    if isinstance(data, Dataset):
        return data.name
    if isinstance(data, str | Path):
        stem = Path(str(data).split("/")[-2] if re.fullmatch(r".+/\d+", str(data)) else str(data)).name.split(".")[0]
        plain = re.sub(r"[^\w.-]+", "_", stem).strip("_.-")[:100]
        if plain:
            return plain
    return "model"


def source_of(data: Any) -> str:
    """Return in words where `data` comes from, without the password of a database URL."""
    if isinstance(data, Dataset):
        return data.reference
    return _PASSWORD.sub(r"\1:***@", str(data)) if isinstance(data, str | Path) else type(data).__name__


def labelled(task: Task, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Return the rows whose true value is known, and these values as the metrics take them.

    Raises
    ------
    InputError
        If there is no column of true values, or none of them is known.
    """
    from luban.data.target import encode_target, missing_target

    if task.target not in table.column_names:
        raise InputError(
            f"the column {task.target!r}, which the model predicts, is not in the data",
            seen=f"columns {', '.join(table.column_names[:20])}",
            remedy="Give rows with their true values.",
        )
    known = ~missing_target(table.column(task.target))
    if not known.any():
        raise InputError(f"no row has a true value in {task.target!r}", seen=f"{table.num_rows} rows")
    rows = table if known.all() else table.filter(known)
    return rows, encode_target(task, rows.column(task.target))
