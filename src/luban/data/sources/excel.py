"""Excel and OpenDocument workbooks."""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from luban.core.errors import InputError, NotFound
from luban.data.checks import check_names
from luban.data.sources import values
from luban.data.sources.location import empty, is_path, open_binary, suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 65_536


class ExcelSource:
    """One sheet of a workbook; its first row that is not empty holds the names of the columns."""

    def matches(self, location: Any) -> bool:
        """Return whether the name ends in .xlsx, .xlsm, .xlsb, .xls or .ods."""
        return is_path(location) and suffixes(location) in {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}

    def read(self, location: Any, *, sheet: str | int = 0, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a sheet, given by its name or its place from 0. The sheet is held in memory.

        Raises
        ------
        InputError
            If the workbook is empty, damaged, or has no such sheet.
        """
        if options:
            raise InputError(f"workbooks have no option {min(options)!r}", remedy="Options: sheet.")
        with open_binary(location) as stream:
            content = stream.read()
        if not content:
            raise empty(location)
        try:
            book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        except (CalamineError, OSError) as error:
            remedy = "Open it in a spreadsheet program and save it again, or save it as CSV."
            raise InputError(
                f"{str(location)!r} is no workbook that can be read", seen=str(error), remedy=remedy
            ) from error
        names = book.sheet_names
        if isinstance(sheet, str) and sheet not in names and sheet.isdecimal():
            sheet = int(sheet)
        if isinstance(sheet, str) and sheet not in names:
            raise NotFound.named("sheet", sheet, names)
        if isinstance(sheet, int) and not 0 <= sheet < len(names):
            raise InputError(f"there is no sheet number {sheet}", remedy=f"Sheets: {', '.join(names)}.")
        rows = book.get_sheet_by_name(sheet if isinstance(sheet, str) else names[sheet]).to_python(skip_empty_area=True)
        rows = [row for row in rows if any(cell != "" for cell in row)]
        if not rows:
            raise empty(location)
        header = [str(values.text(cell) or "").strip() for cell in rows[0]]
        check_names(header, f"the sheet of {str(location)!r}")
        table = _table(header, rows[1:])
        return iter(table.to_batches(max_chunksize=_ROWS) or [pa.RecordBatch.from_pylist([], schema=table.schema)])


def _table(header: list[str], rows: list[list[Any]]) -> pa.Table:
    return pa.table({name: values.column([_cell(row[place]) for row in rows]) for place, name in enumerate(header)})


def _cell(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return datetime(cell.year, cell.month, cell.day)
    return cell.isoformat() if isinstance(cell, time) else cell
