"""Runs in a database of MLflow's: an SQLite file, opened so that it cannot be written."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from luban.core.errors import InputError
from luban.operations.importing.foreign import STATES, ForeignRun, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from luban.operations.importing.places import Places

_OF_MODELS = {
    "params": "SELECT model_id, param_key, param_value FROM logged_model_params",
    "tags": "SELECT model_id, tag_key, tag_value FROM logged_model_tags",
}
_MODELS = {"1": "RUNNING", "2": "FINISHED", "3": "FAILED"}


def is_store(path: Path) -> bool:
    """Return whether a file is an SQLite database."""
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\x00"


def read(path: Path, places: Places) -> Iterator[ForeignRun]:
    """Yield the runs of a database, deleted ones too, and the models that it keeps beside them.

    Raises
    ------
    InputError
        If it is not MLflow's, or cannot be read.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        with opened(path) as connection:
            tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
            if not {"experiments", "runs", "metrics", "params", "tags"} <= tables:
                raise InputError("this database is not MLflow's", seen=str(path))
            named = dict(_pairs(connection, "SELECT experiment_id, name FROM experiments"))
            yield from _runs(connection, named, places)
            if "logged_models" in tables:
                yield from _models(connection, named, places)
    except DBAPIError as error:
        raise InputError("the database cannot be read", seen=f"{path}: {error.orig}") from error


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """Open a database for reading alone."""
    from sqlalchemy import create_engine

    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _pairs(connection: Connection, query: str, *given: Any) -> Iterator[tuple[Any, Any]]:
    for row in connection.exec_driver_sql(query, given):
        yield row[0], row[1]


def _runs(connection: Connection, named: dict[Any, str], places: Places) -> Iterator[ForeignRun]:
    for row in connection.exec_driver_sql("SELECT * FROM runs ORDER BY start_time").mappings().all():
        id_ = row["run_uuid"]
        tags = dict(_pairs(connection, "SELECT key, value FROM tags WHERE run_uuid = ?", id_))
        artefacts, unread = places.find(row["artifact_uri"])
        started = moment(row["start_time"])
        if started is None:
            raise InputError("a run of the database has no start", seen=id_)
        yield ForeignRun(
            id=id_,
            experiment=named.get(row["experiment_id"], str(row["experiment_id"])),
            name=row.get("name") or tags.get("mlflow.runName") or "",
            state=STATES.get(row["status"], "failed"),
            started=started,
            ended=moment(row["end_time"]),
            deleted=row["lifecycle_stage"] == "deleted",
            parent=tags.get("mlflow.parentRunId"),
            actor=row["user_id"] or "",
            params=dict(_pairs(connection, "SELECT key, value FROM params WHERE run_uuid = ?", id_)),
            tags=tags,
            metrics=_metrics(connection, id_),
            artefacts=artefacts,
            unread=unread,
        )


def _metrics(connection: Connection, run: str) -> list[tuple[str, int, float, Any]]:
    query = "SELECT key, step, value, is_nan, timestamp FROM metrics WHERE run_uuid = ? ORDER BY key, step, timestamp"
    return [
        (key, int(step), math.nan if is_nan else float(value), moment(at))
        for key, step, value, is_nan, at in connection.exec_driver_sql(query, (run,))
    ]


def _models(connection: Connection, named: dict[Any, str], places: Places) -> Iterator[ForeignRun]:
    values: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for kind, query in _OF_MODELS.items():
        for model, key, value in connection.exec_driver_sql(query):
            values[kind, model][key] = value
    for row in connection.exec_driver_sql("SELECT * FROM logged_models").mappings().all():
        id_ = row["model_id"]
        artefacts, unread = places.find(row["artifact_location"])
        started = moment(row["creation_timestamp_ms"])
        if started is None:
            raise InputError("a model of the database has no moment of its making", seen=id_)
        yield ForeignRun(
            id=id_,
            operation="logged model",
            experiment=named.get(row["experiment_id"], str(row["experiment_id"])),
            name=row["name"] or "",
            state=STATES[_MODELS.get(str(row["status"]), "FAILED")],
            started=started,
            ended=moment(row["last_updated_timestamp_ms"]),
            deleted=row["lifecycle_stage"] == "deleted",
            parent=row["source_run_id"],
            params=values["params", id_],
            tags=values["tags", id_],
            artefacts=artefacts,
            unread=unread,
        )
