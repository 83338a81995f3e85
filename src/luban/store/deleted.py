"""Versions of data sets that were deleted: what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from luban.core.errors import NotFound
from luban.store.tables import deleted_datasets

if TYPE_CHECKING:
    from sqlalchemy import Connection


def deleted(connection: Connection, name: str, version: int | None = None) -> NotFound | None:
    """Return the error for a version that was deleted, or of no version for the last one that was; else None."""
    mine = deleted_datasets.c
    query = select(deleted_datasets).where(mine.name == name).order_by(mine.moment.desc()).limit(1)
    row = connection.execute(query if version is None else query.where(mine.version == version)).first()
    if row is None:
        return None
    return NotFound(
        f"the data set {name}/{row.version} was deleted",
        seen=f"by {row.actor} on {row.moment:%Y-%m-%d %H:%M} UTC" + (f": {row.reason}" if row.reason else ""),
        remedy=f"Import it anew (luban data import FILE --name {name}); its other versions: luban data list {name}.",
    )
