"""Roles: sets of scopes by name, which may be good for some models and deployments only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from luban.core.access import Role
from luban.core.errors import NotFound
from luban.store import audit
from luban.store.names import valid_name
from luban.store.scopes import IMPLIED, valid_scopes
from luban.store.tables import roles
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from luban.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What somebody may do.

    Parameters
    ----------
    scopes : frozenset of str
        With all that they imply.
    only : frozenset of str, optional
        Names of models and deployments for which; None for all, and for what is about none.
    """

    scopes: frozenset[str]
    only: frozenset[str] | None = None


class Roles:
    """The roles of a workspace."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def set(self, name: str, scopes: Iterable[str], *, only: Iterable[str] = ()) -> Role:
        """Say what a role may do from now on: who has it may do that within a second or two."""
        name = valid_name("role", name)
        after: dict[str, Any] = {"scopes": valid_scopes(scopes), "only": valid_names(only)}
        with self._database.writing(lock="tokens") as connection:
            before = _plain(connection, name)
            upsert(connection, roles, {"name": name}, after)
            audit.append(connection, self._actor, "role.change", f"role/{name}", {"before": before, "after": after})
        return Role(name=name, scopes=tuple(after["scopes"]), only=tuple(after["only"]))

    def remove(self, name: str) -> None:
        """Take a role away; who has it may do nothing through it any more."""
        with self._database.writing(lock="tokens") as connection:
            before = _plain(connection, name)
            if before is None:
                raise NotFound.named("role", name[:100], connection.scalars(select(roles.c.name)).all())
            connection.execute(delete(roles).where(roles.c.name == name))
            audit.append(connection, self._actor, "role.change", f"role/{name}", {"before": before, "after": None})

    def list(self) -> list[Role]:
        """Return all roles, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(roles).order_by(roles.c.name)).all()
        return [Role(name=row.name, scopes=tuple(row.scopes), only=tuple(row.only)) for row in rows]


def known_roles(connection: Connection) -> dict[str, Grant]:
    """Return what each role grants, by its name."""
    rows = connection.execute(select(roles)).all()
    return {row.name: grant(row.scopes, row.only) for row in rows}


def grant(scopes: Iterable[str], only: Iterable[str]) -> Grant:
    """Return scopes with all that they imply."""
    names = frozenset(only)
    return Grant(scopes=frozenset().union(*(IMPLIED[one] for one in scopes)), only=names or None)


def grants_of(scopes: Sequence[str], only: Sequence[str], of_roles: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return what somebody may do who has scopes and roles, and all of it for some names only where there are such."""
    own = grant(scopes, only)
    found = [own] if scopes else []
    for one in of_roles:
        both = one.only if own.only is None else own.only if one.only is None else one.only & own.only
        found.append(Grant(scopes=one.scopes, only=both))
    return tuple(found)


def valid_names(names: Iterable[str]) -> list[str]:
    """Return names of models and deployments, each once; they need not be there yet."""
    return sorted({valid_name("model or deployment", one) for one in names})


def _plain(connection: Connection, name: str) -> Mapping[str, Any] | None:
    row = connection.execute(select(roles.c.scopes, roles.c.only).where(roles.c.name == name)).first()
    return None if row is None else dict(row._mapping)
