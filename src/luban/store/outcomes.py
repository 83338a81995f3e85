"""What became of the requests to a deployment and of their rows in the prediction log, counted by minute.

The prediction log holds answers: what failed, and what the log itself could not take, is in no row of it.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select

from luban.store.clock import now
from luban.store.names import valid_name
from luban.store.tables import outcomes
from luban.store.upsert import upsert_sum

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from luban.store.database import Database

KEPT = timedelta(days=90)
"""How long counts are kept."""


class Minute(NamedTuple):
    """How often each outcome was counted in the minute that began then."""

    began: datetime
    counts: Mapping[str, int]


class Outcomes:
    """Counts by deployment; any number of processes add to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, deployment: str, counts: Mapping[str, int], moment: datetime | None = None) -> None:
        """Add to the counts of the minute of a moment, by default of this one.

        Parameters
        ----------
        counts : mapping of str to int
            By outcome: requests that were ``answered`` or ``failed``; rows that the log has ``stored``, ``dropped``, or
            left out for being ``without_consent``.
        """
        name = valid_name("deployment", deployment)
        minute = (moment or now()).replace(second=0, microsecond=0)
        with self._database.writing(soon=True) as connection:
            for outcome, count in sorted(counts.items()):  # always in this order: of two writers none waits for ever
                key = {"deployment": name, "minute": minute, "outcome": outcome}
                upsert_sum(connection, outcomes, key, {"count": count})

    def read(self, deployment: str, since: datetime | None = None) -> list[Minute]:
        """Return the counts by minute, the newest first, from the minute of a moment on."""
        query = select(outcomes).where(outcomes.c.deployment == valid_name("deployment", deployment))
        if since is not None:
            query = query.where(outcomes.c.minute >= since.replace(second=0, microsecond=0))
        found: dict[datetime, Counter[str]] = {}
        with self._database.reading() as connection:
            for _, minute, outcome, count in connection.execute(query.order_by(outcomes.c.minute.desc())):
                found.setdefault(minute, Counter())[outcome] = count
        return [Minute(began=minute, counts=counts) for minute, counts in found.items()]

    def newest(self, deployment: str) -> tuple[datetime, int] | None:
        """Return what changes when something is counted; None where nothing was."""
        query = (
            select(outcomes.c.minute, func.sum(outcomes.c.count))
            .where(outcomes.c.deployment == valid_name("deployment", deployment))
            .group_by(outcomes.c.minute)
            .order_by(outcomes.c.minute.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row[0], int(row[1]))

    def forget(self, before: datetime | None = None) -> None:
        """Forget the counts of minutes before a moment, by default of those older than `KEPT`; of all deployments."""
        with self._database.writing() as connection:
            connection.execute(delete(outcomes).where(outcomes.c.minute < (before or now() - KEPT)))
