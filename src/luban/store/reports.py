"""The reports of a workspace: what checks found, about what, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from luban.core.report import Report
from luban.core.serial import from_json
from luban.store.clock import now
from luban.store.tables import reports

if TYPE_CHECKING:
    from datetime import datetime

    from luban.store.blobs import Blobs
    from luban.store.database import Database


@dataclass(frozen=True, kw_only=True)
class ReportEntry:
    """Where a report is kept, and what it says in one word."""

    check: str
    subject: str
    verdict: str
    digest: str
    created: datetime
    actor: str


class Reports:
    """Reports, each a blob with a row that finds it by its subject."""

    def __init__(self, database: Database, blobs: Blobs, actor: str) -> None:
        self._database = database
        self._blobs = blobs
        self._actor = actor

    def add(self, report: Report) -> str:
        """Keep a report and return its digest."""
        digest = self._blobs.put_json(report)
        row = {"check": report.check, "subject": report.subject, "verdict": report.verdict, "digest": digest}
        with self._database.writing() as connection:
            connection.execute(insert(reports).values(**row, created=now(), actor=self._actor))
        return digest

    def get(self, digest: str) -> Report:
        """Return a report, verified."""
        return from_json(Report, self._blobs.get_json(digest))

    def list(
        self, *, subject: str | None = None, check: str | None = None, limit: int | None = None
    ) -> list[ReportEntry]:
        """Return the reports on a subject or of a check, newest first, at most `limit`."""
        query = select(reports).order_by(reports.c.number.desc())
        for column, wanted in ((reports.c.subject, subject), (reports.c.check, check)):
            if wanted is not None:
                query = query.where(column == wanted)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            ReportEntry(
                check=row.check,
                subject=row.subject,
                verdict=row.verdict,
                digest=row.digest,
                created=row.created,
                actor=row.actor,
            )
            for row in rows
        ]
