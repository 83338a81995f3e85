"""The dialect of a text table: delimiter, quote, header."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from luban.data.dates import detect_form
from luban.data.numbers import MISSING_WORDS, parse_number

DELIMITERS = ("\t", ";", "|", ",")
_POINT = re.compile(r"[+-]?\d*\.\d+")
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,]\d{3})+")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the text of a table is cut into cells.

    Parameters
    ----------
    delimiter, quote : str
        One character each.
    header : bool
        Whether the first line holds the names of the columns.
    """

    delimiter: str
    quote: str
    header: bool


def cut(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    """Return the cells of each row; a quoted cell may hold delimiters and line breaks."""
    csv.field_size_limit(1 << 30)
    rows = csv.reader(lines, delimiter=delimiter, quotechar=quote, doublequote=True)
    return [row for row in rows if row]


def detect_dialect(
    sample: str, *, delimiter: str | None = None, quote: str | None = None, header: bool | None = None
) -> Dialect | None:
    """Return the dialect of a sample of whole lines, or None where the text is no table.

    What is given is taken as it is. A delimiter is the one that cuts most lines into the same number (over
    one) of cells; text that none cuts so is a table of one column if its first line can be a name.
    """
    lines = sample.splitlines(keepends=True)[:2000]
    quote = quote or _quote(sample)
    if delimiter is None:
        delimiter = _delimiter(lines, quote)
        if delimiter is None:
            if _prose(lines):
                return None
            delimiter = ","
    rows = cut(lines, delimiter, quote)
    if not rows:
        return None
    return Dialect(delimiter=delimiter, quote=quote, header=_has_header(rows) if header is None else header)


def _quote(sample: str) -> str:
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", sample, re.MULTILINE))
    return "'" if single > 2 and '"' not in sample else '"'


def _delimiter(lines: list[str], quote: str) -> str | None:
    """Return the delimiter that cuts the lines as it cuts the first one; the comma last, as numbers hold it too."""
    best = 0.0
    found = None
    for delimiter in DELIMITERS:
        rows = cut(lines, delimiter, quote)
        if not rows or len(rows[0]) < 2:
            continue
        share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if share >= 0.95:
            return delimiter
        if share > max(best, 0.7):
            best, found = share, delimiter
    return found


def decimal_mark(rows: list[list[str]], delimiter: str) -> str:
    """Return the decimal mark of the numbers in a sample: a comma where commas, and no points, cut decimals."""
    cells = [cell.strip() for row in rows for cell in row]
    if any(_POINT.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in cells):
        return "."
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    proof = commas if delimiter == ";" else [cell for cell in commas if not _THOUSANDS.fullmatch(cell)]
    return "," if proof else "."


def _prose(lines: list[str]) -> bool:
    """Whether text that no delimiter cuts is running text rather than a column of values."""
    first = lines[0].strip().strip('"')
    words = len(first.split())
    name = words <= 4 and len(first) <= 60 and not first.endswith((".", "!", "?", ":", ";", ">"))
    return not name or first.startswith(("<", "{", "["))


def _typed(cell: str) -> bool:
    plain = cell.strip()
    number = parse_number(plain)
    return (number is not None and plain.lower() not in MISSING_WORDS) or detect_form([plain]) is not None


def _has_header(rows: list[list[str]]) -> bool:
    """Return whether the first line holds names: no number or date where the column below it has them."""
    first = rows[0]
    if len(rows) == 1:
        return not any(map(_typed, first))
    body = [row for row in rows[1:101] if len(row) == len(first)]
    if not body:
        return not any(map(_typed, first))
    values = [place for place in range(len(first)) if all(_typed(row[place]) for row in body)]
    if values:
        return not all(_typed(first[place]) for place in values)
    return True
