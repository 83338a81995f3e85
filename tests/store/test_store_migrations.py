"""The migrations make the tables that the code reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import luban.store
from luban.store import Workspace, migrate
from luban.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def test_migrations_make_the_tables_of_the_code(store: Path) -> None:
    """A database made by the steps differs in nothing from `luban.store.tables`: columns, types, keys, indexes."""
    with Workspace.open(store) as workspace, workspace._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_forms_are_the_steps() -> None:
    """The forms that are known without Alembic are the very steps it walks, in order."""
    scripts = ScriptDirectory(str(Path(luban.store.__file__).parent / "migrations"))
    assert tuple(step.revision for step in reversed(list(scripts.walk_revisions()))) == migrate.FORMS


def test_a_step_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are made in one transaction: whoever fails on the way leaves none, and the next opening makes them."""
    whole = migrate._run_steps

    def interrupted(connection: Connection) -> None:
        whole(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_run_steps", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Workspace.open(tmp_path / ".luban")
    with sqlite3.connect(tmp_path / ".luban" / "luban.db") as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    with Workspace.open(tmp_path / ".luban") as workspace:
        assert workspace.audit.verify() == 0


def test_sqlite_writes_its_journal_ahead_and_waits_for_the_disk(tmp_path: Path) -> None:
    """WAL, synchronous=FULL and foreign keys hold on every connection."""
    with Workspace.open(tmp_path / ".luban") as workspace, workspace._database.reading() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in _PRAGMAS}
    assert found == _PRAGMAS


_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}
