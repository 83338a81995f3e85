"""The audit chain: who did what, when, in entries that each hold the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from luban.core.errors import Tampered
from luban.core.secrets import hidden
from luban.store.clock import now
from luban.store.digests import canonical_json
from luban.store.tables import EPOCH, audit, audit_head, microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from luban.store.database import Database


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One entry of the chain."""

    number: int
    moment: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    hash: str


class Audit:
    """The chain of a workspace.

    A change to any entry, an entry left out, put in or cut off at the end is found by `verify`. Someone who
    may write to the database could rebuild the whole chain; to be safe from that too, keep the hash that
    `head` returns elsewhere and hand it to `verify` later.
    """

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def append(self, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> None:
        """Add an entry.

        Parameters
        ----------
        action : str
            Such as ``"model.register"``.
        subject : str
            What it was done to, such as ``"model/adult/3"``.
        detail : mapping, optional
            JSON values.
        """
        with self._database.writing() as connection:
            append(connection, self._actor, action, subject, detail)

    def entries(
        self, *, subject: str | None = None, limit: int | None = None, offset: int = 0, newest: bool = False
    ) -> list[AuditEntry]:
        """Return entries, oldest first, or where it is asked for newest first."""
        order = audit.c.number.desc() if newest else audit.c.number
        query = select(audit).order_by(order).offset(offset).limit(limit)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            AuditEntry(
                number=row.number,
                moment=EPOCH + timedelta(microseconds=row.moment),
                actor=row.actor,
                action=row.action,
                subject=row.subject,
                detail=json.loads(row.detail),
                hash=row.hash,
            )
            for row in rows
        ]

    def head(self) -> tuple[int, str]:
        """Return the number of entries and the hash of the last one."""
        with self._database.reading() as connection:
            row = connection.execute(select(audit_head.c.number, audit_head.c.hash)).one()
        return row.number, row.hash

    def verify(self, anchor: str | None = None) -> int:
        """Return the number of entries after checking every link.

        Parameters
        ----------
        anchor : str, optional
            A hash that `head` returned earlier and that was kept elsewhere: it must still be in the chain.

        Raises
        ------
        Tampered
            If the chain is broken, with the number of the first entry that does not fit.
        """
        number, previous, anchored = 0, _START, anchor in (None, _START)
        with self._database.reading() as connection:
            head = connection.execute(select(audit_head.c.number, audit_head.c.hash)).one()
            query = select(*_HASHED, audit.c.hash).order_by(audit.c.number)
            for *fields, found in connection.execution_options(yield_per=10_000).execute(query):
                number += 1
                if fields[0] != number or fields[-1] != previous or found != _hash(fields):
                    raise _broken(f"entry {number}")
                previous = found
                anchored = anchored or found == anchor
            if (number, previous) != tuple(head):
                raise _broken(f"the end: {number} entries, and {head.number} were written")
        if not anchored:
            raise _broken(f"no entry has the hash {anchor}")
        return number


_START = "0" * 64
_HASHED = (
    audit.c.number,
    audit.c.moment,
    audit.c.actor,
    audit.c.action,
    audit.c.subject,
    audit.c.detail,
    audit.c.previous,
)


def append(
    connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Add an entry in the transaction of the change that it records: both last, or neither.

    It comes last in its transaction, since it locks the end of the chain until that transaction ends.
    """
    head = connection.execute(select(audit_head.c.number, audit_head.c.hash).with_for_update()).one()
    text = hidden(canonical_json(detail or {}).decode())
    fields = [head.number + 1, microseconds(now()), actor, action, subject, text, head.hash]
    link = _hash(fields)
    names = [column.name for column in _HASHED]
    connection.execute(insert(audit).values(**dict(zip(names, fields, strict=True)), hash=link))
    connection.execute(update(audit_head).values(number=fields[0], hash=link))


def details(connection: Connection, action: str, subject: str) -> dict[int, dict[str, Any]]:
    """Return what the entries of one action on one subject say, by their numbers, oldest first."""
    query = (
        select(audit.c.number, audit.c.detail)
        .where(audit.c.subject == subject, audit.c.action == action)
        .order_by(audit.c.number)
    )
    return {number: json.loads(detail) for number, detail in connection.execute(query)}


def _hash(fields: list[Any]) -> str:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _broken(seen: str) -> Tampered:
    return Tampered(
        "the audit chain is broken",
        seen=seen,
        remedy="Someone changed the record; compare the database with a copy from before.",
    )
