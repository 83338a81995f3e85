"""Bring the tables of a workspace to the form that this version of Luban knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from luban.core.errors import Conflict

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luban.store.database import Database

# Every form there has been, oldest first. Alembic, which is slow to import, is needed only to get from one
# to another, so the newest is written here too; a test compares it with the steps themselves.
FORMS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")


def upgrade(database: Database) -> None:
    """Make the tables, or bring them up to date; costs one query where nothing is to be done.

    Raises
    ------
    Conflict
        If a newer version of Luban wrote the tables.
    """
    with database.reading() as connection:
        form = _form(connection)
    if form == FORMS[-1]:
        return
    _check(form, database.shown)
    database.prepare()
    with database.writing(lock="migration") as connection:
        form = _form(connection)  # another process may have been quicker
        _check(form, database.shown)
        if form != FORMS[-1]:
            _run_steps(connection)


def _form(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    form: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return form


def _check(form: str | None, where: str) -> None:
    if form is not None and form not in FORMS:
        raise Conflict(
            "this workspace was written by a newer version of Luban",
            seen=f"form {form} of the tables in {where}; this version knows up to {FORMS[-1]}",
            remedy="Update Luban: pip install --upgrade luban",
        )


def _run_steps(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Colons would be read as a separator of several places.
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
