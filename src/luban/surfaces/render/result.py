"""Results in the terminal: whatever dataclass an operation returns.

Plain fields become a list of names and values, records become tables, reports are rendered as
reports. A result that deserves its own look registers a function for its type in `looks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from luban.core.report import Report
from luban.core.schema import Schema

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 100
LONGEST = 60  # characters of a cell
LONGEST_WORD = 24  # cells of a word that is not broken in a table
WIDEST = 10  # columns that still fit a terminal
MOST_ENTRIES = 40  # of a mapping inside another, such as the packages of a run
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@singledispatch
def render(result: Any, console: Console) -> None:
    """Write a result to the console."""
    if isinstance(result, Report):
        from luban.surfaces.render import terminal

        terminal.render(result, console)
    elif isinstance(result, tuple | list):
        table("", result, console)
    elif is_dataclass(result):
        _record(result, console)
    else:
        console.print(str(result), markup=False)


def _record(result: Any, console: Console) -> None:
    from rich.table import Table

    plain = Table.grid(padding=(0, 2))
    later: list[tuple[str, Any]] = []
    for field in fields(result):
        value = getattr(result, field.name)
        if (
            isinstance(value, Report)
            or _is_records(value)
            or isinstance(value, Schema)
            or is_dataclass(value)
            or (isinstance(value, Mapping) and value)
        ):
            later.append((field.name, value))
        elif value is not None and value not in ((), {}, ""):
            plain.add_row(field.name, words(value))
    if plain.row_count:
        console.print(plain, markup=False)
    elif not later:
        console.print("none")
    for name, value in later:
        if isinstance(value, Report):
            render(value, console)
        elif isinstance(value, Schema):
            table(name, [{"name": c.name, "kind": c.kind, "role": c.role} for c in value.columns], console)
        elif isinstance(value, Mapping):
            _mapping(name, value, console)
        elif is_dataclass(value):
            console.print(f"\n[bold]{name}[/bold]")
            _record(value, console)
        else:
            table(name, value, console)


def _mapping(name: str, value: Mapping[str, Any], console: Console) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for key, item in value.items():
        many = isinstance(item, Mapping) and len(item) > MOST_ENTRIES
        table.add_row(f"  {key}", f"{len(item)}; --json has all" if many else words(item))
    console.print(f"\n[bold]{name}[/bold]")
    console.print(table, markup=False)


def _is_records(value: Any) -> bool:
    return isinstance(value, tuple | list) and bool(value) and (is_dataclass(value[0]) or isinstance(value[0], Mapping))


def table(title: str, records: Sequence[Any], console: Console, *, short: bool = False) -> None:
    """Write records as a table, one a line; where `short`, the last column is cut to the room there is.

    Where there is no room for the words of every column, each record is written downwards.
    """
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    if not records:
        console.print("none")
        return
    rows = [as_row(record) for record in records[:MOST_ROWS]]
    columns = [name for name in rows[0] if any(row.get(name) not in (None, "", (), {}) for row in rows)]
    if len(columns) > WIDEST and len(rows) <= WIDEST:
        # Few wide rows are easier to read downwards.
        rows = [{"": name} | {str(i): row.get(name) for i, row in enumerate(rows, start=1)} for name in columns]
        columns = list(rows[0])
    texts = [[_short(words(row.get(name))) for name in columns] for row in rows]
    widths = None if short else _widths(columns, texts, console.width)
    if widths is None and not short:
        _downwards(title, columns, [[words(row.get(name)) for name in columns] for row in rows], console)
        _tell_more(records, console)
        return
    grid = Table(title=title.replace("_", " ") or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        numeric = all(
            isinstance(one := row.get(name), int | float | None) and not isinstance(one, bool) for row in rows
        )
        grid.add_column(
            Text(name.replace("_", " ")),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=short,
            width=None if widths is None else widths[place],
        )
    if short:
        others = sum(max(map(cell_len, (name, *cells))) + 3 for name, *cells in zip(columns[:-1], *texts, strict=False))
        grid.columns[-1].overflow, grid.columns[-1].max_width = "ellipsis", max(10, console.width - others - 4)
    for line in texts:
        grid.add_row(*map(Text, line))
    console.print(grid)
    _tell_more(records, console)


def _widths(columns: Sequence[str], texts: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return the widths of columns of which no word is broken but a very long one; None where there is no such."""
    from rich.cells import cell_len

    from luban.surfaces.render.columns import GAP, fitting

    whole, least = [], []
    for place, name in enumerate(columns):
        cells = [line for text in texts for line in text[place].split("\n")]
        head = name.replace("_", " ")
        whole.append(max(map(cell_len, (head, *cells))))
        words = [word for line in (head, *cells) for word in line.split()]
        longest = max(map(cell_len, words), default=1)
        # The first column names the line: it stays whole, so that it can be copied.
        least.append(whole[-1] if place == 0 and whole[-1] <= room // 3 else min(longest, LONGEST_WORD))
    left = room - 3 * len(columns) - 1  # the spaces beside and between the columns
    return None if sum(least) > left else fitting(whole, least, left + GAP * (len(columns) - 1))


def _downwards(title: str, columns: Sequence[str], texts: Sequence[Sequence[str]], console: Console) -> None:
    """Write each record as lines of a name and a value, an empty line between two."""
    from rich.table import Table
    from rich.text import Text

    if title:
        console.print(Text(f"\n{title.replace('_', ' ')}", style="bold"))
    for place, line in enumerate(texts):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in zip(columns, line, strict=True):
            if text:
                grid.add_row(Text(f"  {name.replace('_', ' ')}"), Text(text))
        if place or not title:
            console.print()
        console.print(grid)


def _tell_more(records: Sequence[Any], console: Console) -> None:
    if len(records) > MOST_ROWS:
        console.print(f"and {len(records) - MOST_ROWS} more")


def _short(text: str) -> str:
    """Return a cell's text at a length that leaves room for the others; --json has the whole."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@singledispatch
def as_row(record: Any) -> Mapping[str, Any]:
    """Return the columns of a record in a table; a record that is read better otherwise registers a function."""
    if isinstance(record, Mapping):
        return record
    return {field.name: getattr(record, field.name) for field in fields(record)}


def words(value: Any) -> str:
    """Return a value as a short text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={words(item)}" for key, item in value.items())
    if isinstance(value, tuple | list):
        separator = "\n" if any(isinstance(item, str) and len(item) > 40 for item in value) else ", "
        return separator.join(words(item) for item in value)
    if is_dataclass(value):
        return words(as_row(value))
    text = str(value)
    return text[:19] if _DIGEST.fullmatch(text) else text
