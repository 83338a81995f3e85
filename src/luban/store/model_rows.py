"""Versions of models as the tables hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, select

from luban.core.errors import NotFound
from luban.core.model import ModelVersion, Signature
from luban.core.recipe import Recipe
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.store.digests import canonical_json, digest_of
from luban.store.names import numbered, parse_reference
from luban.store.tables import aliases, deleted_models, model_reports, models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

CHAMPION = "champion"
"""The alias that a model's plain name means, where it is set."""


def version_of(connection: Connection, reference: str, *, held: bool = False) -> ModelVersion:
    """Return the version that a reference means, as this transaction sees it.

    Parameters
    ----------
    held : bool
        Whether it must not be deleted before the transaction ends.
    """
    wanted = parse_reference("model", reference)
    version = wanted.version
    if version is None:
        alias = wanted.alias or CHAMPION
        key = (aliases.c.name == wanted.name) & (aliases.c.alias == alias)
        version = connection.scalar(select(aliases.c.version).where(key))
    query = select(models).where(models.c.name == wanted.name).order_by(models.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(models.c.version == version)
    if held:  # SQLite has one writer at a time anyway
        query = query.with_for_update(read=True)
    found = versions(connection, query)
    if not found:
        raise not_found(connection, wanted.name, reference)
    if wanted.alias is not None and version is None:
        raise no_alias(connection, wanted.name, wanted.alias)
    return found[0]


def versions(connection: Connection, query: Any) -> list[ModelVersion]:
    """Return the versions that a query of the table of models finds, with their aliases and reports."""
    rows = connection.execute(query).all()
    names: Sequence[str] = sorted({row.name for row in rows})
    pointing: dict[tuple[str, int], list[str]] = {}
    for row in connection.execute(select(aliases).where(aliases.c.name.in_(names)).order_by(aliases.c.alias)):
        pointing.setdefault((row.name, row.version), []).append(row.alias)
    checked: dict[tuple[str, int], dict[str, str]] = {}
    for row in connection.execute(select(model_reports).where(model_reports.c.name.in_(names))):
        checked.setdefault((row.name, row.version), {})[row.check] = row.digest
    return [
        _model(row, checked.get((row.name, row.version), {}), pointing.get((row.name, row.version), [])) for row in rows
    ]


def record(model: ModelVersion) -> str:
    """Return the digest of all that is written once."""
    once = to_json(model)
    for later in ("aliases", "reports"):
        del once[later]
    for newer in ("data", "code", "environment"):  # unknown to the versions that were registered before there were such
        if once[newer] is None:
            del once[newer]
    return digest_of(canonical_json(once))


def not_found(connection: Connection, name: str, reference: str) -> NotFound:
    """Return the error for a reference that means no version; it tells of one that was deleted."""
    known = connection.scalars(select(models.c.name).distinct()).all()
    wanted = parse_reference("model", reference)
    gone = (deleted_models.c.name == wanted.name) & (deleted_models.c.version == wanted.version)
    deleted = connection.execute(select(deleted_models).where(gone)).first() if wanted.version else None
    if deleted is not None:
        because = f": {deleted.reason}" if deleted.reason else ""
        return NotFound(
            f"{reference} was deleted",
            seen=f"by {deleted.actor}, {deleted.moment:%Y-%m-%d %H:%M} UTC{because}",
            remedy="The audit chain has its record: luban audit-log list.",
        )
    if name not in known:
        return NotFound.named("model", name, known)
    there = connection.scalars(select(models.c.version).where(models.c.name == name).order_by(models.c.version)).all()
    return NotFound(
        f"no model version is named {reference!r}",
        seen=f"{name} has {numbered(there)}",
        remedy=f"Write it as {name}/{there[-1]}.",
    )


def no_alias(connection: Connection, name: str, alias: str) -> NotFound:
    """Return the error for an alias that a model does not have."""
    known = connection.scalars(select(aliases.c.alias).where(aliases.c.name == name)).all()
    return NotFound.named("alias", alias, known, remedy=None if known else f"{name} has no alias yet.")


def next_version(connection: Connection, name: str, wanted: int | None = None) -> int:
    """Return the number of the next version; that of a deleted one is not given again.

    Parameters
    ----------
    wanted : int, optional
        Returned where no version has it, nor a deleted one had it.
    """
    if (
        wanted is not None
        and wanted > 0
        and not any(
            connection.scalar(select(table.c.version).where(table.c.name == name, table.c.version == wanted))
            for table in (models, deleted_models)
        )
    ):
        return wanted
    last = connection.scalar(select(func.max(models.c.version)).where(models.c.name == name)) or 0
    gone = connection.scalar(select(func.max(deleted_models.c.version)).where(deleted_models.c.name == name)) or 0
    return int(max(last, gone)) + 1


def _model(row: Row[Any], reports: Mapping[str, str], pointing: Sequence[str]) -> ModelVersion:
    return ModelVersion(
        name=row.name,
        version=row.version,
        artifact=row.artifact,
        signature=from_json(Signature, row.signature),
        task=from_json(Task, row.task),
        recipe=None if row.recipe is None else from_json(Recipe, row.recipe),
        dataset=row.dataset,
        run=row.run,
        reports=reports,
        aliases=tuple(pointing),
        scores=row.scores,
        tags=row.tags,
        created=row.created,
        data=row.data,
        code=row.code,
        environment=row.environment,
    )
