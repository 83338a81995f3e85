"""Registered models in a database of MLflow's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.operations.importing.foreign import ForeignModel, ForeignVersion, moment
from luban.operations.importing.mlflow_database import opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, RowMapping

_DELETED = "Deleted_Internal"
"""The stage of versions that were deleted: their rows stay."""

_HOME = "default"
_Key = tuple[Any, ...]


def registered(path: Path) -> list[ForeignModel]:
    """Return the registered models of a database; none where it has no registry.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        with opened(path) as connection:
            tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
            return _models(connection, tables) if {"registered_models", "model_versions"} <= tables else []
    except DBAPIError as error:
        raise InputError("the database cannot be read", seen=f"{path}: {error.orig}") from error


def _models(connection: Connection, tables: set[str]) -> list[ForeignModel]:
    def rows(table: str, columns: str = "*") -> Sequence[RowMapping]:
        if table not in tables:  # aliases and tags came with later releases
            return ()
        return connection.exec_driver_sql(f"SELECT {columns} FROM {table}").mappings().all()  # noqa: S608 - our words

    tags: dict[_Key, dict[str, str]] = defaultdict(dict)
    for row in rows("registered_model_tags"):
        tags[_model(row)][row["key"]] = row["value"] or ""
    of_versions: dict[_Key, dict[str, str]] = defaultdict(dict)
    for row in rows("model_version_tags"):
        of_versions[(*_model(row), row["version"])][row["key"]] = row["value"] or ""
    aliases: dict[_Key, dict[str, int]] = defaultdict(dict)
    for row in rows("registered_model_aliases"):
        aliases[_model(row)][row["alias"]] = int(row["version"])
    versions: dict[_Key, list[ForeignVersion]] = defaultdict(list)
    for row in sorted(rows("model_versions"), key=lambda one: int(one["version"])):
        if row["current_stage"] != _DELETED:
            versions[_model(row)].append(_version(row, of_versions[(*_model(row), row["version"])]))
    return [
        ForeignModel(
            name=name if workspace == _HOME else f"{workspace}.{name}",
            description=row["description"] or "",
            tags=tags[workspace, name],
            aliases=aliases[workspace, name],
            versions=versions[workspace, name],
        )
        for row in rows("registered_models")
        for workspace, name in [_model(row)]
    ]


def _model(row: RowMapping) -> tuple[str, str]:
    """Return the key of a model: since 3.10 there are several spaces of names."""
    return row.get("workspace") or _HOME, row["name"]


def _version(row: RowMapping, tags: Mapping[str, str]) -> ForeignVersion:
    made = moment(row["creation_time"])
    if made is None:
        raise InputError(
            "a version of the database has no moment of its making", seen=f"{row['name']}/{row['version']}"
        )
    source = row["source"] or ""
    return ForeignVersion(
        number=int(row["version"]),
        made=made,
        addresses=[one for one in (source, row.get("storage_location")) if one],
        run=row["run_id"] or None,
        model=source.removeprefix("models:/") if source.startswith("models:/m-") else None,
        link=row.get("run_link") or "",
        actor=row["user_id"] or "",
        description=row["description"] or "",
        stage=row["current_stage"] or "None",
        tags=tags,
    )
