"""The data sets of a workspace and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, insert, select

from luban.core.dataset import Dataset
from luban.core.errors import NotFound
from luban.core.recipe import Recipe
from luban.core.schema import Schema
from luban.core.serial import from_json, to_json
from luban.store import audit
from luban.store.clock import now
from luban.store.names import parse_reference, valid_name
from luban.store.tables import datasets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from luban.store.blobs import Blobs
    from luban.store.database import Database


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
        with self._database.writing(lock=f"dataset/{name}") as connection:
            row = connection.execute(same).first()
            if row is not None:
                return _dataset(row)
            last = connection.scalar(select(func.max(datasets.c.version)).where(datasets.c.name == name))
            connection.execute(
                insert(datasets).values(
                    name=name,
                    version=(last or 0) + 1,
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


def _not_found(connection: Connection, name: str, reference: str) -> NotFound:
    known = connection.scalars(select(datasets.c.name).distinct()).all()
    if name not in known:
        return NotFound.named("data set", name, known)
    last = connection.scalar(select(func.max(datasets.c.version)).where(datasets.c.name == name))
    return NotFound(
        f"no version of a data set is named {reference!r}",
        seen=f"{name} has the versions 1 to {last}",
        remedy=f"Write it as {name}/{last}.",
    )
