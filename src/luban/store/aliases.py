"""Aliases: names that move among the versions of a model, and remember where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from luban.core.errors import Conflict
from luban.core.model import AliasChange
from luban.store import audit
from luban.store.approvals import check_unasked
from luban.store.clock import now
from luban.store.model_rows import CHAMPION, no_alias, version_of
from luban.store.tables import alias_changes, aliases, models
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection


def move(
    connection: Connection,
    actor: str,
    name: str,
    alias: str,
    version: int | None,
    *,
    reason: str = "",
    undo: bool = False,
) -> AliasChange:
    """Point an alias at a version, or with None remove it, in the transaction of `connection`; return the change."""
    if version is not None:
        version_of(connection, f"{name}/{version}", held=True)
        if alias == CHAMPION:
            check_unasked(connection, actor, [f"{name}/{version}"])
    key = (aliases.c.name == name) & (aliases.c.alias == alias)
    before = connection.scalar(select(aliases.c.version).where(key))
    if version is not None:
        upsert(connection, aliases, {"name": name, "alias": alias}, {"version": version})
    elif before is None:
        raise no_alias(connection, name, alias)
    else:
        connection.execute(delete(aliases).where(key))
    change = AliasChange(
        model=name,
        alias=alias,
        before=before,
        after=version,
        actor=actor,
        reason=reason,
        moment=now(),
        undo=undo,
    )
    connection.execute(insert(alias_changes).values(**vars(change)))
    detail = {"alias": alias, "before": before, "after": version, "reason": reason, "undo": undo}
    audit.append(connection, actor, "model.alias", f"model/{name}", detail)
    return change


def history(connection: Connection, name: str, alias: str | None = None) -> list[AliasChange]:
    """Return every move of the aliases of a model, or of one of them, oldest first."""
    query = select(alias_changes).where(alias_changes.c.model == name).order_by(alias_changes.c.number)
    if alias is not None:
        query = query.where(alias_changes.c.alias == alias)
    rows = connection.execute(query).mappings().all()
    return [AliasChange(**{key: value for key, value in row.items() if key != "number"}) for row in rows]


def previous(connection: Connection, name: str, alias: str) -> int:
    """Return the version that an alias pointed at before the one it points at now.

    Who goes back twice goes back two versions, not to and fro; versions that were deleted since are passed over.

    Raises
    ------
    NotFound
        If the model never had the alias.
    Conflict
        If there is nothing to go back to.
    """
    changes = history(connection, name, alias)
    if not changes:
        raise no_alias(connection, name, alias)
    walked: list[int | None] = []
    for change in changes:
        if change.undo:
            while walked and walked[-1] != change.after:
                walked.pop()
        if not walked or walked[-1] != change.after:
            walked.append(change.after)
    there = set(connection.scalars(select(models.c.version).where(models.c.name == name)))
    now_at = walked.pop()
    for version in reversed(walked):
        if version in there and version != now_at:
            assert version is not None
            return version
    raise Conflict(
        f"the alias {alias!r} of {name} has nothing to go back to",
        seen=f"it points at {name}/{now_at}, and at no other version that is still there before"
        if now_at is not None
        else "no version that it pointed at is still there",
        remedy=f"Choose one: luban models promote {name}/VERSION --alias {alias}",
    )
