"""Runs import: the records that MLflow kept, its registered models among them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.operations.importing.foreign import ForeignModel, ForeignRun
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
    models, versions : int
        Registered models and versions of them that were not here.
    aliases : int
        Aliases that were moved.
    """

    new: int
    changed: int
    same: int
    values: int
    files: int
    models: int
    versions: int
    aliases: int
    notes: tuple[str, ...]


@operation(permission="runs:write", remote=False, name="runs import")
def runs_import(workspace: Workspace, location: str, *, artefacts: Path | None = None) -> RunsImported:
    """Import the runs and registered models of an MLflow store; a second time only what has changed.

    Versions of models keep their files, notes, aliases and the run that made them. They may hold pickle, so Luban gives
    them back to MLflow's clients, and does not answer with them.

    Parameters
    ----------
    location
        A folder mlruns, or an SQLite file such as mlflow.db. It is only read.
    artefacts
        The folder that an MLflow server keeps files in, where that is not mlartifacts beside the store.
    """
    from luban.operations.importing.places import Places
    from luban.operations.importing.register import Registry
    from luban.operations.importing.write import Count, write

    path = Path(location.removeprefix("sqlite:///").removeprefix("file://")).expanduser()
    if not path.exists():
        raise NotFound("there is no such store", seen=location)
    home = path if path.is_dir() else path.parent
    places = Places(home=home.resolve(), served=(artefacts or home / "mlartifacts").expanduser().resolve())
    store = _store(path)
    found, source, count = store.runs(places), str(path.resolve()), Count()
    notes = write(workspace, found, source, count)
    registry = Registry(workspace, found, places, source, count)
    registry.write(store.models())
    notes += registry.notes
    left = (f"And {len(notes) - MOST_NOTES:,} more.",) if len(notes) > MOST_NOTES else ()
    return RunsImported(**vars(count), notes=(*notes[:MOST_NOTES], *left))


@dataclass(frozen=True, kw_only=True)
class _Store:
    """What reads a store."""

    runs: Callable[[Places], list[ForeignRun]]
    models: Callable[[], list[ForeignModel]]


def _store(path: Path) -> _Store:
    from luban.operations.importing import mlflow_database, mlflow_files

    if path.is_dir():
        for folder in (path, path / "mlruns"):
            if mlflow_files.is_store(folder):
                return _folder(folder)
        if (path / "mlflow.db").is_file():
            return _database(path / "mlflow.db")
    elif mlflow_database.is_store(path):
        return _database(path)
    raise InputError(
        "this is no store of MLflow's", seen=str(path), remedy="Give a folder mlruns, or the file mlflow.db."
    )


def _folder(folder: Path) -> _Store:
    from luban.operations.importing.mlflow_files import read
    from luban.operations.importing.mlflow_files_models import registered

    return _Store(runs=lambda places: list(read(folder, places)), models=lambda: registered(folder))


def _database(file: Path) -> _Store:
    from luban.operations.importing.mlflow_database import read
    from luban.operations.importing.mlflow_database_models import registered

    return _Store(runs=lambda places: list(read(file, places)), models=lambda: registered(file))
