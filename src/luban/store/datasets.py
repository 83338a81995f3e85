"""The data sets of a workspace and their versions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select

from luban.core.dataset import Dataset
from luban.core.errors import Conflict, InputError, NotFound
from luban.core.recipe import Recipe
from luban.core.schema import Schema
from luban.core.serial import from_json, to_json
from luban.store import audit, unnamed
from luban.store.clock import now
from luban.store.deleted import deleted
from luban.store.names import Reference, numbered, parse_reference, valid_name
from luban.store.processes import is_gone, this_process
from luban.store.run_values import set_tags
from luban.store.tables import datasets, deleted_datasets, deployments, models, run_tags, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from luban.store.blobs import Blobs
    from luban.store.database import Database

DELETED = "dataset.delete"


class Datasets:
    """Versions of data sets: each written once, named by name and number, its content a manifest of blobs."""

    def __init__(self, database: Database, blobs: Blobs, actor: str) -> None:
        self._database = database
        self._blobs = blobs
        self._actor = actor

    def add(
        self,
        *,
        name: str,
        schema: Schema,
        manifest: Mapping[str, Any],
        rows: int,
        parents: Sequence[str] = (),
        recipe: Recipe | None = None,
        source: str = "",
    ) -> Dataset:
        """Record a version and return it; content that the name already has is returned as it is.

        Parameters
        ----------
        manifest : mapping
            JSON values that name the blobs of the content; its digest is the fingerprint.
        parents : sequence of str
            References (``name/version``) of the versions it was made from.
        """
        name = valid_name("data set", name)
        fingerprint = self._blobs.put_json(manifest)
        same = select(datasets).where(datasets.c.name == name, datasets.c.fingerprint == fingerprint)
        with self._database.reading() as connection:
            row = connection.execute(same).first()
        if row is not None:
            return _dataset(row)
        content = partial(unnamed.of_dataset, self._blobs, fingerprint)
        make_sure = unnamed.present(self._database, self._blobs, content, what="data set")
        with self._database.writing(lock=f"dataset/{name}") as connection:
            row = connection.execute(same).first()
            if row is not None:
                return _dataset(row)
            make_sure(connection)
            connection.execute(
                insert(datasets).values(
                    name=name,
                    version=_next(connection, name),
                    fingerprint=fingerprint,
                    schema=to_json(schema),
                    rows=rows,
                    parents=list(parents),
                    recipe=to_json(recipe),
                    source=source,
                    created=now(),
                    actor=self._actor,
                )
            )
            row = connection.execute(same).one()
            detail = {"fingerprint": fingerprint, "parents": list(parents), "source": source}
            audit.append(connection, self._actor, "dataset.add", f"dataset/{name}/{row.version}", detail)
            return _dataset(row)

    def get(self, reference: str) -> Dataset:
        """Return a version by ``name/version``, or the newest by ``name``."""
        wanted = parse_reference("data set", reference)
        query = select(datasets).where(datasets.c.name == wanted.name).order_by(datasets.c.version.desc()).limit(1)
        if wanted.version is not None:
            query = query.where(datasets.c.version == wanted.version)
        with self._database.reading() as connection:
            row = None if wanted.alias is not None else connection.execute(query).first()
            if row is None:
                raise _not_found(connection, wanted.name, reference)
        return _dataset(row)

    def was(self, name: str) -> bool:
        """Return whether a version of this name was deleted."""
        with self._database.reading() as connection:
            return deleted(connection, name) is not None

    def versions(self, name: str) -> list[Dataset]:
        """Return all versions of a data set, oldest first."""
        query = select(datasets).where(datasets.c.name == valid_name("data set", name)).order_by(datasets.c.version)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            if not rows:
                raise _not_found(connection, name, name)
        return [_dataset(row) for row in rows]

    def manifest(self, dataset: Dataset) -> dict[str, Any]:
        """Return what names the blobs of a version, verified."""
        manifest: dict[str, Any] = self._blobs.get_json(dataset.fingerprint)
        return manifest

    def hold(self, reference: str, run: str) -> None:
        """Note that a run learns from a version, which is not deleted while this process works on the run.

        Raises
        ------
        NotFound
            If it was deleted.
        """
        wanted = parse_reference("data set", reference)
        with self._database.writing() as connection:
            # Held until the note is there: whoever deletes the version waits, and sees it.
            if connection.scalar(select(datasets.c.version).where(*_is(wanted)).with_for_update(read=True)) is None:
                raise _not_found(connection, wanted.name, reference)
            set_tags(connection, run, {"dataset": reference, "process": this_process()})

    def delete(self, reference: str, *, reason: str = "") -> int:
        """Delete a version for good, and return how many blobs were removed that nothing else names.

        Its number is not given again, and the audit chain keeps its record.

        Parameters
        ----------
        reference : str
            ``name/version``.

        Raises
        ------
        Conflict
            If a model learnt from it, or a run is learning from it.
        """
        wanted = parse_reference("data set", reference)
        if wanted.version is None:
            raise InputError(
                "only one version is deleted at a time, by its number",
                seen=repr(reference),
                remedy=f"Write it as {wanted.name}/1.",
            )
        content = unnamed.of_dataset(self._blobs, self.get(reference).fingerprint)
        with self._database.writing(lock=f"dataset/{wanted.name}") as connection:
            row = connection.execute(select(datasets).where(*_is(wanted)).with_for_update()).first()
            if row is None:
                raise _not_found(connection, wanted.name, reference)
            _check_unused(connection, reference)
            unnamed.note(connection, content)
            connection.execute(delete(datasets).where(*_is(wanted)))
            gone = {"fingerprint": row.fingerprint, "reason": reason, "moment": now(), "actor": self._actor}
            connection.execute(insert(deleted_datasets).values(name=row.name, version=row.version, **gone))
            detail = {key: row._mapping[key] for key in ("fingerprint", "rows", "parents", "source")}
            audit.append(connection, self._actor, DELETED, f"dataset/{reference}", {**detail, "reason": reason})
        return unnamed.sweep(self._database, self._blobs)

    def list(self) -> list[Dataset]:
        """Return the newest version of every data set, by name."""
        newest = select(datasets.c.name, func.max(datasets.c.version).label("version")).group_by(datasets.c.name)
        last = newest.subquery()
        on = (datasets.c.name == last.c.name) & (datasets.c.version == last.c.version)
        with self._database.reading() as connection:
            rows = connection.execute(select(datasets).join(last, on).order_by(datasets.c.name)).all()
        return [_dataset(row) for row in rows]


def _dataset(row: Row[Any]) -> Dataset:
    return Dataset(
        name=row.name,
        version=row.version,
        schema=from_json(Schema, row.schema),
        rows=row.rows,
        fingerprint=row.fingerprint,
        parents=tuple(row.parents),
        recipe=None if row.recipe is None else from_json(Recipe, row.recipe),
        source=row.source,
        created=row.created,
    )


def _is(wanted: Reference) -> tuple[ColumnElement[bool], ...]:
    return datasets.c.name == wanted.name, datasets.c.version == wanted.version


def _next(connection: Connection, name: str) -> int:
    """Return the number of the next version; that of a deleted one is not given again."""
    tables = (datasets, deleted_datasets)
    last = [connection.scalar(select(func.max(table.c.version)).where(table.c.name == name)) for table in tables]
    return max(one or 0 for one in last) + 1


def _check_unused(connection: Connection, reference: str) -> None:
    """Raise where a version must not be deleted."""
    query = select(models.c.name, models.c.version).where(models.c.dataset == reference)
    learnt = [
        f"{row.name}/{row.version}" for row in connection.execute(query.order_by(models.c.name, models.c.version))
    ]
    if learnt:
        answering = [
            f"deployment {row.name} answers with {model}"
            for row in connection.execute(select(deployments).order_by(deployments.c.name))
            for model in learnt
            if model in row.traffic or model == row.shadow
        ]
        more = f" and {len(learnt) - 8} more" if len(learnt) > 8 else ""
        raise Conflict(
            f"{reference} is not deleted: models learnt from it",
            seen="; ".join([", ".join(learnt[:8]) + more, *answering[:8]]),
            remedy=f"Delete them first: luban models delete {learnt[0]}"
            + (" (deploy another version before that)." if answering else "."),
        )
    states = select(runs.c.id, runs.c.operation, runs.c.actor).where(runs.c.state == "running")
    tags = select(run_tags.c.run, run_tags.c.key, run_tags.c.value).where(run_tags.c.key.in_(("dataset", "process")))
    told: dict[str, dict[str, Any]] = {}
    for row in connection.execute(tags.where(run_tags.c.run.in_(states.with_only_columns(runs.c.id)))):
        told.setdefault(row.run, {})[row.key] = row.value
    for run in connection.execute(states):
        mine = told.get(run.id, {})
        if mine.get("dataset") == reference and not is_gone(mine.get("process")):
            raise Conflict(
                f"{reference} is not deleted: a run is learning from it",
                seen=f"{run.operation} {run.id} of {run.actor} is running",
                remedy="Wait until it has ended, or stop it. One that was killed on another machine is taken up "
                f"and stopped there: luban fit --resume {run.id}",
            )


def _not_found(connection: Connection, name: str, reference: str) -> NotFound:
    version = reference.partition("/")[2]
    gone = deleted(connection, name, int(version) if version.isdecimal() else None)
    known = connection.scalars(select(datasets.c.name).distinct()).all()
    if gone is not None and (version or name not in known):
        return gone
    if name not in known:
        return NotFound.named("data set", name, known)
    there = connection.scalars(select(datasets.c.version).where(datasets.c.name == name).order_by(datasets.c.version))
    numbers = there.all()
    return NotFound(
        f"no version of a data set is named {reference!r}",
        seen=f"{name} has {numbered(numbers)}",
        remedy=f"Write it as {name}/{numbers[-1]}.",
    )
