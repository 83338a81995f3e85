"""The alert rules of a workspace, and how each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from luban.core.alert import AlertRule, AlertState
from luban.core.errors import Conflict, NotFound
from luban.store.clock import now
from luban.store.names import valid_name
from luban.store.tables import alerts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from luban.store.database import Database

_RULE = ("name", "deployment", "figure", "comparison", "limit", "to", "secret", "quiet", "repeat")
_STATE = ("since", "told", "value", "notice", "claimed")


class Alerts:
    """Rules by name; any number of processes may hold figures against them, and one of them tells."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def add(self, rule: AlertRule) -> AlertRule:
        """Keep a rule.

        Raises
        ------
        Conflict
            If there is one of this name.
        """
        name = valid_name("alert", rule.name)
        with self._database.writing(lock=f"alert/{name}") as connection:
            if _find(connection, name) is not None:
                raise Conflict(
                    f"there is an alert named {name!r}", remedy=f"Remove it first: luban alerts remove {name}"
                )
            row = {key: getattr(rule, key) for key in _RULE} | {"name": name}
            connection.execute(insert(alerts).values(**row, created=now(), actor=self._actor))
        return rule

    def get(self, name: str) -> AlertRule:
        """Return a rule by its name."""
        with self._database.reading() as connection:
            row = _find(connection, name)
            if row is None:
                raise NotFound.named("alert", name, connection.scalars(select(alerts.c.name)).all())
        return _rule(row)

    def list(self, deployment: str | None = None) -> Sequence[tuple[AlertRule, AlertState]]:
        """Return all rules, or those of one deployment, by name, each with how it stands."""
        query = select(alerts).order_by(alerts.c.name)
        if deployment is not None:
            query = query.where(alerts.c.deployment == deployment)
        with self._database.reading() as connection:
            return [(_rule(row), _state(row)) for row in connection.execute(query).all()]

    def remove(self, name: str) -> AlertRule:
        """Forget a rule and return what it was."""
        rule = self.get(name)
        with self._database.writing(lock=f"alert/{name}") as connection:
            connection.execute(delete(alerts).where(alerts.c.name == name))
        return rule

    def move(self, name: str, before: AlertState, after: AlertState) -> bool:
        """Let a rule stand as `after` where it still stands as `before`; return whether it did.

        Of two processes that see the same alarm, or an untold notice, one moves it, and that one tells.
        """
        with self._database.writing(lock=f"alert/{name}") as connection:
            row = _find(connection, name)
            if row is None or _standing(_state(row)) != _standing(before):
                return False
            values: dict[str, Any] = {key: getattr(after, key) for key in _STATE}
            connection.execute(update(alerts).where(alerts.c.name == name).values(**values))
        return True


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(alerts).where(alerts.c.name == name)).first()


def _standing(state: AlertState) -> tuple[Any, ...]:
    return state.since, state.told, state.claimed, None if state.notice is None else state.notice["id"]


def _rule(row: Row[Any]) -> AlertRule:
    return AlertRule(**{key: row._mapping[key] for key in _RULE})


def _state(row: Row[Any]) -> AlertState:
    return AlertState(**{key: row._mapping[key] for key in _STATE})
