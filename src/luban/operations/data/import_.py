"""Data import: rows from anywhere become a version of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luban.core.operation import operation
from luban.core.schema import Schema

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A version of a data set.

    Attributes
    ----------
    skipped : int
        Rows of a text file that were left out because they had too few or too many cells.
    notes : tuple of str
        What was decided while it was read.
    """

    dataset: str
    fingerprint: str
    rows: int
    skipped: int
    notes: tuple[str, ...]
    parents: tuple[str, ...]
    schema: Schema


@operation(permission="data:write", long=True, name="data import")
def data_import(
    workspace: Workspace,
    data: Any,
    *,
    name: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    sheet: str | None = None,
    query: str | None = None,
    media: Path | None = None,
    bad_rows: Literal["error", "skip"] = "error",
    time: str | None = None,
    group: str | None = None,
    key: str | None = None,
) -> Imported:
    """Import rows as a version of a data set; equal content is stored once.

    Parameters
    ----------
    data
        A file (CSV, TSV, Parquet, JSON Lines, Excel), a folder of them, a folder of pictures or sounds or a zip archive
        of one (a folder a class), a database URL, or an object in memory.
    name
        Name of the data set; by default that of the file.
    delimiter
        What separates the columns of a text file; found out by default.
    encoding
        Encoding of a text file; found out by default.
    decimal
        Decimal point of a text file, `.` or `,`; found out by default.
    sheet
        Sheet of a workbook; by default the first.
    query
        SQL query or table name, with a database URL.
    media
        Folder that paths of pictures and sounds in the rows start from and must not leave; by default that of the file.
    bad_rows
        What to do with a row of a text file that has too few or too many cells: `error`, or `skip` to leave it out.
    time
        Column that says when a row was; it orders splits by time.
    group
        Column whose groups are never split between training and validation.
    key
        Column that names a row.
    """
    from luban.data import versions
    from luban.operations.reading import name_for
    from luban.store.names import valid_name

    called = valid_name("data set", name_for(data) if name is None else name)
    given = {
        "delimiter": delimiter,
        "encoding": encoding,
        "decimal": decimal,
        "sheet": sheet,
        "query": query,
        "media": None if media is None else str(media),
        "time": time,
        "group": group,
        "key": key,
    }
    options = {option: value for option, value in given.items() if value is not None}
    if bad_rows != "error":
        options["bad_rows"] = bad_rows
    found = versions.import_with_notes(workspace, data, name=called, **options)
    return Imported(
        dataset=found.dataset.reference,
        fingerprint=found.dataset.fingerprint,
        rows=found.dataset.rows,
        skipped=found.skipped,
        notes=found.notes,
        parents=found.dataset.parents,
        schema=found.dataset.schema,
    )
