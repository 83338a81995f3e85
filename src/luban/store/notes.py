"""What people write beside models and their versions, and may change: descriptions, tags.

A version itself is written once; these notes are no part of its record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from luban.core.errors import InputError
from luban.store.clock import now
from luban.store.names import valid_name
from luban.store.run_values import valid_key
from luban.store.tables import model_notes
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from luban.store.database import Database

LONGEST = 100_000


class Notes:
    """Notes beside models: version 0 stands for the model itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, name: str, version: int, notes: Mapping[str, str | None]) -> None:
        """Put notes in place of what was there; None removes one."""
        name = valid_name("model", name)
        with self._database.writing() as connection:
            for key, value in notes.items():
                row = {"name": name, "version": version, "key": valid_key("note", key)}
                if value is None:
                    those = (model_notes.c.name == name) & (model_notes.c.version == version)
                    connection.execute(delete(model_notes).where(those & (model_notes.c.key == key)))
                    continue
                if len(value) > LONGEST:
                    raise InputError(f"a note has at most {LONGEST:,} characters", seen=f"{len(value):,}")
                upsert(connection, model_notes, row, {"value": value, "changed": now()})

    def read(self, name: str | None = None) -> dict[tuple[str, int], dict[str, tuple[str, datetime]]]:
        """Return the notes, and when each was last changed, by (model, version)."""
        query = select(model_notes).order_by(model_notes.c.name, model_notes.c.version, model_notes.c.key)
        if name is not None:
            query = query.where(model_notes.c.name == name)
        found: dict[tuple[str, int], dict[str, tuple[str, datetime]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                found.setdefault((row.name, row.version), {})[row.key] = (row.value, row.changed)
        return found

    def erase(self, name: str, version: int | None = None) -> None:
        """Remove all notes of a version; without one those of the model and of all its versions."""
        those = model_notes.c.name == name
        if version is not None:
            those &= model_notes.c.version == version
        with self._database.writing() as connection:
            connection.execute(delete(model_notes).where(those))
