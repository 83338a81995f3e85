"""Settings that hold for a whole workspace; every change is in the audit chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from luban.store import audit
from luban.store.tables import settings
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from luban.store.database import Database


class Settings:
    """JSON values by key."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def get(self, key: str, default: Any = None) -> Any:
        """Return a setting."""
        with self._database.reading() as connection:
            row = connection.execute(select(settings.c.value).where(settings.c.key == key)).first()
        return default if row is None else row.value

    def set(self, key: str, value: Any) -> None:
        """Change a setting; None takes it away."""
        with self._database.writing(lock=f"setting/{key}") as connection:
            before = connection.scalar(select(settings.c.value).where(settings.c.key == key))
            if value is None:
                connection.execute(delete(settings).where(settings.c.key == key))
            else:
                upsert(connection, settings, {"key": key}, {"value": value})
            detail = {"before": before, "after": value}
            audit.append(connection, self._actor, "setting.change", f"setting/{key}", detail)
