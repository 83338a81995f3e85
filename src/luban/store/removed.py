"""Deployments that were removed, and what became of their logs.

A server hears of a removal a moment late, and may hold rows that it has not stored yet: what comes for a log that was
erased is not stored any more. Whoever removes a deployment and whoever stores rows of its log take turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from luban.core.errors import NotFound
from luban.store.clock import now
from luban.store.tables import chunks, deployments, removed_deployments
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, kw_only=True)
class RemovedDeployment:
    """A deployment that was removed and not made anew since.

    Parameters
    ----------
    erased : bool
        Whether its log was erased with it; else it is kept, or there was none.
    keep : int, optional
        Days after which a log that is kept forgets.
    """

    name: str
    erased: bool
    keep: int | None
    moment: datetime
    actor: str


def turn(name: str) -> str:
    """Return the lock of whoever adds to the log of a deployment, or ends it."""
    return f"log/{name}"


def logged(connection: Connection, name: str) -> int:
    """Return how many rows and labels the log of a deployment holds."""
    return int(connection.scalar(select(func.sum(chunks.c.rows)).where(chunks.c.deployment == name)) or 0)


def note(connection: Connection, actor: str, name: str, *, erased: bool, keep: int | None) -> None:
    """Note that a deployment was removed, in that transaction, which holds its `turn`."""
    values = {"erased": erased, "keep": keep, "moment": now(), "actor": actor}
    upsert(connection, removed_deployments, {"name": name}, values)


def erased_until(connection: Connection, name: str) -> datetime | None:
    """Return the moment before which nothing belongs into the log of a deployment any more.

    That is every moment where nothing answers under the name. The transaction holds the `turn` of the log.
    """
    mine = removed_deployments.c
    ended = connection.scalar(select(mine.moment).where(mine.name == name, mine.erased))
    if ended is None:
        return None
    there = connection.scalar(select(deployments.c.name).where(deployments.c.name == name))
    return ended if there is not None else _NEVER


def gone(connection: Connection) -> list[RemovedDeployment]:
    """Return the deployments that were removed and not made anew since, by name."""
    there = select(deployments.c.name)
    query = select(removed_deployments).where(removed_deployments.c.name.not_in(there))
    rows = connection.execute(query.order_by(removed_deployments.c.name)).mappings()
    return [RemovedDeployment(**row) for row in rows]


def not_found(connection: Connection, name: str) -> NotFound:
    """Return the error for a name under which nothing answers; it tells where there was a deployment."""
    found = next((one for one in gone(connection) if one.name == name), None)
    if found is None:
        return NotFound.named("deployment", name, connection.scalars(select(deployments.c.name)).all())
    left = logged(connection, name)
    return NotFound(
        f"no deployment is named {name!r} any more",
        seen=f"{found.actor} removed it on {found.moment:%Y-%m-%d %H:%M} UTC; its log holds {left:,} rows and labels",
        remedy=f"Look at them: luban predictions export {name} FILE; "
        f"erase them: luban deployments remove {name} --log erase."
        if left
        else f"Deploy a model under the name: luban deploy {name} MODEL.",
    )


_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
