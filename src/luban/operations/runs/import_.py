"""Runs import: the records that MLflow kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.operations.importing.foreign import ForeignRun
    from luban.operations.importing.places import Places
    from luban.store import Workspace

MOST_NOTES = 20


@dataclass(frozen=True, kw_only=True)
class RunsImported:
    """How much was imported, and what was not.

    Attributes
    ----------
    new, changed, same : int
        Runs that were not here, that were here otherwise, and that were here as they are.
    values, files : int
        Values of metrics and files that were written.
    """

    new: int
    changed: int
    same: int
    values: int
    files: int
    notes: tuple[str, ...]


@operation(permission="runs:write", remote=False, name="runs import")
def runs_import(workspace: Workspace, location: str, *, artefacts: Path | None = None) -> RunsImported:
    """Import the runs of an MLflow store; a second time only what has changed.

    Parameters
    ----------
    location
        A folder mlruns, or an SQLite file such as mlflow.db. It is only read.
    artefacts
        The folder that an MLflow server keeps files in, where that is not mlartifacts beside the store.
    """
    from luban.operations.importing.places import Places
    from luban.operations.importing.write import write

    path = Path(location.removeprefix("sqlite:///").removeprefix("file://")).expanduser()
    if not path.exists():
        raise NotFound("there is no such store", seen=location)
    home = path if path.is_dir() else path.parent
    places = Places(home=home.resolve(), served=(artefacts or home / "mlartifacts").expanduser().resolve())
    count, notes = write(workspace, _reader(path, places), str(path.resolve()))
    left = (f"And {len(notes) - MOST_NOTES:,} more.",) if len(notes) > MOST_NOTES else ()
    return RunsImported(**vars(count), notes=(*notes[:MOST_NOTES], *left))


def _reader(path: Path, places: Places) -> Iterator[ForeignRun]:
    from luban.operations.importing import mlflow_database, mlflow_files

    if path.is_dir():
        inner = path / "mlruns"
        for folder in (path, inner):
            if mlflow_files.is_store(folder):
                return mlflow_files.read(folder, places)
        if (path / "mlflow.db").is_file():
            return mlflow_database.read(path / "mlflow.db", places)
    elif mlflow_database.is_store(path):
        return mlflow_database.read(path, places)
    raise InputError(
        "this is no store of MLflow's", seen=str(path), remedy="Give a folder mlruns, or the file mlflow.db."
    )
