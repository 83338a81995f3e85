"""Experiments: groups of runs by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from luban.core.errors import Conflict, InputError, NotFound, Refused
from luban.store.clock import now
from luban.store.run_values import valid_key
from luban.store.tables import EPOCH, experiments, runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from luban.store.database import Database

LONGEST = 500
DEFAULT = "Default"
"""The name of the experiment of number 0, which has every run that names no other."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A group of runs."""

    id: int
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime
    updated: datetime
    deleted: datetime | None = None


_DEFAULT = Experiment(id=0, name=DEFAULT, created=EPOCH, updated=EPOCH)


class Experiments:
    """The experiments of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, tags: Mapping[str, str] | None = None) -> Experiment:
        """Make an experiment and return it.

        Raises
        ------
        Conflict
            If there is one of this name, deleted or not.
        """
        name = _valid(name)
        moment = now()
        values = {"name": name, "tags": _tags(tags or {}), "created": moment, "updated": moment}
        if name == DEFAULT:
            raise _taken(name)
        try:
            with self._database.writing() as connection:
                made = connection.execute(insert(experiments).values(**values))
                return _one(connection, int((made.inserted_primary_key or (0,))[0]))
        except IntegrityError:
            raise _taken(name) from None

    def find(self, name: str) -> Experiment:
        """Return the experiment of a name, made where there is none; a deleted one is refused."""
        try:
            found = self.named(name)
        except NotFound:
            try:
                return self.create(name)
            except Conflict:  # another process was quicker
                found = self.named(name)
        if found.deleted is not None:
            raise Conflict(f"the experiment {name!r} is deleted", remedy="Restore it, or use another name.")
        return found

    def get(self, id: int) -> Experiment:  # noqa: A002
        """Return the experiment of a number."""
        with self._database.reading() as connection:
            return _one(connection, id)

    def named(self, name: str) -> Experiment:
        """Return the experiment of a name."""
        with self._database.reading() as connection:
            row = connection.execute(select(experiments).where(experiments.c.name == name)).one_or_none()
        if row is not None:
            return _experiment(row)
        if name == DEFAULT:
            return self.get(0)
        raise NotFound(f"no experiment is named {name[:LONGEST]!r}")

    def list(self) -> list[Experiment]:
        """Return all experiments, deleted ones too, by number."""
        with self._database.reading() as connection:
            found = [_experiment(row) for row in connection.execute(select(experiments).order_by(experiments.c.id))]
        return found if found and found[0].id == 0 else [_DEFAULT, *found]

    def rename(self, id: int, name: str) -> None:  # noqa: A002
        """Give an experiment another name."""
        name = _valid(name)
        try:
            self._change(id, name=name)
        except IntegrityError:
            raise _taken(name) from None

    def set_tags(self, id: int, tags: Mapping[str, str | None]) -> None:  # noqa: A002
        """Put tags in place of what was there; None removes one."""
        with self._database.writing(lock=f"experiment/{id}") as connection:
            _ensure(connection, id)
            merged = {**_one(connection, id).tags, **tags}
            kept = _tags({key: value for key, value in merged.items() if value is not None})
            connection.execute(update(experiments).where(experiments.c.id == id).values(tags=kept, updated=now()))

    def delete(self, id: int) -> None:  # noqa: A002
        """Mark an experiment and its runs as deleted; `restore` takes it back."""
        if id == 0:
            raise Refused("the default experiment cannot be deleted")
        moment = now()
        self._change(id, deleted=moment)
        with self._database.writing() as connection:
            those = (runs.c.experiment == id) & runs.c.deleted.is_(None)
            connection.execute(update(runs).where(those).values(deleted=moment))

    def restore(self, id: int) -> None:  # noqa: A002
        """Take back the deletion of an experiment, and of the runs that were deleted with it."""
        before = self.get(id).deleted
        self._change(id, deleted=None)
        if before is not None:
            with self._database.writing() as connection:
                those = (runs.c.experiment == id) & (runs.c.deleted == before)
                connection.execute(update(runs).where(those).values(deleted=None))

    def _change(self, id: int, **values: Any) -> None:  # noqa: A002
        with self._database.writing() as connection:
            _ensure(connection, id)
            connection.execute(update(experiments).where(experiments.c.id == id).values(updated=now(), **values))


def _ensure(connection: Connection, id: int) -> None:  # noqa: A002
    """Raise `NotFound` unless the experiment is there; give the default one, which is always there, its row."""
    if connection.scalar(select(experiments.c.id).where(experiments.c.id == id)) is not None:
        return
    found = _one(connection, id)
    values = {"id": found.id, "name": found.name, "tags": {}, "created": found.created, "updated": found.updated}
    connection.execute(insert(experiments).values(**values))


def _one(connection: Connection, id: int) -> Experiment:  # noqa: A002
    row = connection.execute(select(experiments).where(experiments.c.id == id)).one_or_none()
    if row is not None:
        return _experiment(row)
    if id == 0:
        return _DEFAULT
    raise NotFound(f"no experiment has the number {id}")


def _experiment(row: Row[Any]) -> Experiment:
    return Experiment(**row._mapping)


def _valid(name: str) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise InputError(f"the name of an experiment has 1 to {LONGEST} printable characters", seen=repr(name)[:100])
    return name


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {valid_key("tag", key): str(value) for key, value in tags.items()}


def _taken(name: str) -> Conflict:
    return Conflict(
        f"there is an experiment named {name!r} already",
        remedy="Use it, restore it where it is deleted, or choose another name.",
    )
