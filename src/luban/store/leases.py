"""Leases: of any number of processes one does a piece of work, and one that was stalled cannot finish it later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from luban.core.errors import Conflict
from luban.core.update import Lease
from luban.store.clock import now
from luban.store.tables import leases
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luban.store.database import Database

SECONDS = 30.0
"""How long a lease lasts when it is not renewed: so long nobody goes on with the work of a killed process."""


class Leases:
    """Leases by name, of all processes that share the database.

    The clock of a machine only decides when somebody else may try; that the late one is refused rests on the token.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, holder: str, seconds: float = SECONDS) -> Lease | None:
        """Return a lease, or None where somebody else holds it.

        Parameters
        ----------
        holder : str
            Who, in words: a machine and a process.
        """
        with self._database.writing(lock=f"lease/{name}") as connection:
            row = connection.execute(select(leases).where(leases.c.name == name)).first()
            moment = now()
            if row is not None and row.expires > moment:
                return None
            lease = Lease(
                name=name,
                token=1 if row is None else row.token + 1,
                holder=holder,
                expires=moment + timedelta(seconds=seconds),
            )
            values = {"token": lease.token, "holder": holder, "expires": lease.expires}
            upsert(connection, leases, {"name": name}, values)
        return lease

    def renew(self, lease: Lease, seconds: float = SECONDS) -> None:
        """Hold a lease for longer.

        Raises
        ------
        Conflict
            If somebody else has taken it over.
        """
        with self._database.writing(lock=f"lease/{lease.name}") as connection:
            fence(connection, lease)
            mine = update(leases).where(leases.c.name == lease.name)
            connection.execute(mine.values(expires=now() + timedelta(seconds=seconds)))

    def release(self, lease: Lease) -> None:
        """Let go of a lease; where somebody else has taken it over nothing is done."""
        with self._database.writing(lock=f"lease/{lease.name}") as connection:
            mine = (leases.c.name == lease.name) & (leases.c.token == lease.token)
            connection.execute(update(leases).where(mine).values(expires=now()))

    def holder(self, name: str) -> Lease | None:
        """Return who holds a lease now, or None."""
        with self._database.reading() as connection:
            row = connection.execute(select(leases).where(leases.c.name == name, leases.c.expires > now())).first()
        return None if row is None else Lease(**row._mapping)


def fence(connection: Connection, lease: Lease) -> None:
    """Raise `Conflict` where a lease has been taken over; else nobody can do so before this transaction ends."""
    query = select(leases.c.token, leases.c.holder).where(leases.c.name == lease.name).with_for_update()
    row = connection.execute(query).first()
    if row is None or row.token != lease.token:
        raise Conflict(
            f"somebody else does this work now: {lease.name}",
            seen=f"held by {row.holder}" if row is not None else "the lease is gone",
            remedy="This process was stalled for longer than its lease; nothing was changed.",
        )
