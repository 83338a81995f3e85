"""What an operation is given as data: a file, a data set of the workspace, or an object in memory."""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.dataset import Dataset
from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.store import Workspace

_REFERENCE = re.compile(r"[^/\\@]+(/\d+)?")


def stored(workspace: Workspace, data: Any) -> Dataset | None:
    """Return the data set of the workspace that `data` is or names, or None where it is none.

    A file of the same name goes first.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, str) or Path(data).exists() or not _REFERENCE.fullmatch(data):
        return None
    name, _, version = data.partition("/")
    if name not in _names(workspace) and not (workspace.root.is_dir() and workspace.datasets.was(name)):
        return None
    return workspace.datasets.get(f"{name}/{version}" if version else name)


def read_table(workspace: Workspace, data: Any) -> pa.Table:
    """Return the rows that `data` names as one Arrow table."""
    from luban.data import versions

    dataset = stored(workspace, data)
    return versions.table(workspace, dataset) if dataset is not None else read_new(workspace, data)


def read_new(workspace: Workspace, data: Any) -> pa.Table:
    """Return the rows of a file, a database or an object in memory, which `stored` found to be no data set.

    Raises
    ------
    NotFound
        With the nearest data sets and files, where `data` is the name of neither.
    """
    from luban.data import read

    try:
        return read.table(data)
    except NotFound as error:
        if not isinstance(data, str) or not _REFERENCE.fullmatch(data) or Path(data).exists():
            raise
        names = _names(workspace)
        near = get_close_matches(data.partition("/")[0], names, n=3, cutoff=0.5) or names[:5]
        sets = f"Data sets: {', '.join(near)}." if near else "The workspace has no data set yet."
        raise NotFound(
            f"{data!r} is neither a file nor a data set of the workspace",
            remedy=f"{sets} {error.remedy or ''}".strip(),
        ) from error


def target_told(workspace: Workspace, data: Any) -> str | None:
    """Return the column that `data` itself takes for the target, as a folder of class folders does, or None."""
    dataset = stored(workspace, data)
    if dataset is not None:
        return next((column.name for column in dataset.schema.columns if column.role == "target"), None)
    if not isinstance(data, str | Path):
        return None
    from luban.data import read
    from luban.data.media import marks

    first = next(read.batches(data), None)
    return None if first is None else marks.target(first.schema)


def dataset_named(workspace: Workspace, data: str) -> Dataset:
    """Return the data set of the workspace that `data` names.

    Raises
    ------
    InputError
        If it is the path of a file, with the command that imports it.
    NotFound
        With the nearest names.
    """
    path = Path(data).expanduser()
    is_path = path.exists() or not _REFERENCE.fullmatch(data.partition("@")[0])
    if data and is_path and data.partition("/")[0] not in _names(workspace):
        raise InputError(
            "this verb wants an imported data set of the workspace",
            seen=f"the path {data!r}",
            remedy=f"Run: luban data import {shlex.quote(data)} --name {name_for(data)}",
        )
    return workspace.datasets.get(data)


def _names(workspace: Workspace) -> list[str]:
    """Return the names of all data sets."""
    # Where nothing was ever kept, looking must not make a workspace.
    return [one.name for one in workspace.datasets.list()] if workspace.root.is_dir() else []


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
    from luban.data.sources.remote import without_password

    return without_password(data) if isinstance(data, str | Path) else type(data).__name__


def labelled(task: Task, table: pa.Table, columns: Sequence[Column] = ()) -> tuple[pa.Table, np.ndarray]:
    """Return the rows whose true value is known, and these values as the metrics take them.

    Parameters
    ----------
    columns : sequence of Column
        The inputs of a model's signature; with them labels of words are held against the words.

    Raises
    ------
    InputError
        If there is no column of true values, or none of them is known.
    """
    from luban.data.conform import conform
    from luban.data.lists import lengths
    from luban.data.target import encode_target, missing_target
    from luban.data.words import check_words

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
    if task.kind == "tokens" and columns:
        words = conform(rows, columns, missing="fill").table[task.inputs[0]]
        check_words(task, words, lengths(task.target, rows.column(task.target)))
    return rows, encode_target(task, rows.column(task.target))
