"""Reports in the terminal: verdicts, findings, short tables, and charts of characters.

Rich measures Chinese and other wide characters, and drops colours and cuts to the width by itself where the output is
no terminal; all text of a report is passed as plain text, so that nothing in it is taken for markup.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from luban.surfaces.render.text import VERDICTS, clean, is_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console, Group, RenderableType
    from rich.table import Table
    from rich.text import Text

    from luban.core.report import Evidence, Finding, Report

_STYLES = {"info": "cyan", "pass": "green", "warn": "yellow", "block": "bold red"}
_MARKS = {"info": "•", "pass": "✓", "warn": "▲", "block": "✗"}
_PLAIN_MARKS = {"info": "-", "pass": "+", "warn": "!", "block": "x"}
_ROWS = 15
_BAR = 24
_INDENT = 2
_LINE = 40
_PIECES = 400
_STRONG, _LEAST = 0.5, 0.12  # weights of pieces that are marked strongly, and that are not marked
_SPARKS = "▁▂▃▄▅▆▇█"
_PLAIN_SPARKS = "_.-~=+*#"
_page: ContextVar[str | None] = ContextVar("luban_page", default=None)


def render(report: Report, console: Console) -> None:
    """Write a report to the console."""
    from rich.padding import Padding
    from rich.text import Text

    plain = console.options.ascii_only
    head = Text()
    head.append(clean(report.check).replace("_", " ").capitalize(), style="bold")
    if report.subject:
        head.append(f" {'-' if plain else '·'} {clean(report.subject)}")
    head.append("  ")
    head.append(f"{_mark(report.verdict, plain)} {VERDICTS[report.verdict]}", style=_STYLES[report.verdict])
    console.print()
    console.print(head)
    for finding in report.findings:
        console.print()
        console.print(_sentence(finding, plain))
        for evidence in finding.evidence:
            body = _evidence(evidence, plain, console.width - _INDENT)
            if body is not None:
                console.print(Padding(body, (1, 0, 0, _INDENT)))
    pictures = sum(one.drawing == "picture" for finding in report.findings for one in finding.evidence)
    if pictures:
        told = f"{pictures} pictures are" if pictures > 1 else "1 picture is"
        page = _page.get()
        where = f"in {page}" if page else "in the HTML page: add --html PAGE.html to the same command"
        console.print(Text(f"\n{told} {where}", style="dim"), soft_wrap=page is not None)


@contextmanager
def beside(page: Path | None) -> Iterator[None]:
    """Say of what cannot be shown in the terminal that it is in this HTML page, where there is one."""
    token = _page.set(None if page is None else str(page))
    try:
        yield
    finally:
        _page.reset(token)


def lines(title: str, texts: Sequence[str], console: Console) -> None:
    """Write texts under a title, each with a mark before it."""
    from rich.table import Table
    from rich.text import Text

    if not texts:
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for one in texts:
        grid.add_row(_mark("info", console.options.ascii_only), Text(clean(one)))
    console.print(Text(f"\n{title}", style="bold"))
    console.print(grid)


def following(commands: Sequence[str], console: Console) -> None:
    """Write what to type next, each command on one line, so that it can be copied."""
    from rich.text import Text

    console.print(Text("\nNext", style="bold"))
    for command in commands:
        console.print(Text(f"  {command}"), soft_wrap=True)


def _mark(verdict: str, plain: bool) -> str:
    return (_PLAIN_MARKS if plain else _MARKS)[verdict]


def _sentence(finding: Finding, plain: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    lines = Table.grid(padding=(0, 1))
    lines.add_column(width=1)
    lines.add_column(overflow="fold")
    lines.add_row(Text(_mark(finding.verdict, plain), style=_STYLES[finding.verdict]), Text(clean(finding.what)))
    if finding.remedy:
        arrow = "->" if plain else "→"
        lines.add_row("", Text(f"{arrow} {clean(finding.remedy)}", style="dim"))
    return lines


def _evidence(evidence: Evidence, plain: bool, room: int) -> RenderableType | None:
    if not evidence.rows:
        return None
    if evidence.drawing == "bar":
        return _bars(evidence, plain)
    if evidence.drawing in ("line", "histogram"):
        return _lines(evidence, plain)
    if evidence.drawing == "spans":
        return _spans(evidence, plain)
    if evidence.drawing == "picture":
        return None  # said once for all of them, under the report
    if evidence.drawing == "scatter":
        return None  # a cloud of points says nothing in characters; the other faces draw it
    return _table(evidence, plain, room)


def _table(evidence: Evidence, plain: bool, room: int) -> Group:
    from rich.console import Group
    from rich.text import Text

    from luban.surfaces.render.columns import table

    rows = evidence.rows[:_ROWS]
    body = table(evidence.columns, rows, room=room, plain=plain)
    more = [Text(f"and {len(evidence.rows) - len(rows):,} more", style="dim")] if len(evidence.rows) > len(rows) else []
    return Group(_title(evidence), Text(), body, *more)


def _title(evidence: Evidence, *more: str) -> Text:
    """Return the title, and what else is known of the figures: their unit, their range."""
    from rich.text import Text

    title = Text(clean(evidence.title), style="bold")
    told = [one for one in more if one]
    if told:
        title.append(f"  {'; '.join(told)}", style="not bold dim")
    return title


def _spans(evidence: Evidence, plain: bool) -> Group:
    """Return the text with what speaks for the answer underlined, and what speaks against it in another colour.

    Where there are no colours, strong pieces stand in brackets with their sign.
    """
    from rich.console import Group
    from rich.text import Text

    body = Text()
    for piece, weight in evidence.rows[:_PIECES]:
        shown_piece = clean(str(piece))
        if not is_number(weight):
            body.append(shown_piece, style="dim italic")
            continue
        word = shown_piece.rstrip()
        strong = abs(weight) >= _STRONG
        if abs(weight) < _LEAST or not word:
            body.append(shown_piece)
            continue
        style = f"{'bold ' if strong else ''}{'underline dark_orange3' if weight > 0 else 'blue'}"
        mark = ("+" if weight > 0 else "-") if plain and strong else ""
        body.append(f"[{mark}{word}]" if mark else word, style=style)
        body.append(shown_piece[len(word) :])
    if len(evidence.rows) > _PIECES:
        body.append(" .." if plain else " …", style="dim")
    return Group(_title(evidence, clean(evidence.y)), body)


def _bars(evidence: Evidence, plain: bool) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = evidence.rows[:_ROWS]
    several = len(evidence.columns) > 2
    values = [float(value) for row in rows for value in row[1:] if is_number(value)]
    largest = max((abs(one) for one in values), default=0.0)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(overflow="fold", max_width=44)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    for row in rows:
        for name, value in zip(evidence.columns[1:], row[1:], strict=True):
            label = f"{shown(row[0])}, {clean(name)}" if several else shown(row[0])
            bar = _bar(abs(float(value)) / largest, plain) if is_number(value) and largest else ""
            style = "yellow" if is_number(value) and float(value) < 0 else "blue"
            grid.add_row(Text(label), Text(shown(value)), Text(bar, style=style))
    if len(evidence.rows) > len(rows):
        grid.add_row(Text(f"and {len(evidence.rows) - len(rows):,} more", style="dim"))
    return Group(_title(evidence, clean(evidence.y)), grid)


def _bar(share: float, plain: bool) -> str:
    if plain:
        return "#" * round(share * _BAR)
    eighths = round(share * _BAR * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _lines(evidence: Evidence, plain: bool) -> Group | None:
    """Return a small curve a series, from its first to its last row, between its smallest and largest value."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    first = 2 if evidence.drawing == "histogram" else 1
    grid = Table.grid(padding=(0, 1))
    start, end = shown(evidence.rows[0][0]), shown(evidence.rows[-1][first - 1])
    across = clean(evidence.x or evidence.columns[0])
    # The axis of a distribution has the name of its chart; it need not be said twice.
    reach = f"{start} to {end}" if across == clean(evidence.title) else f"{across} {start} to {end}"
    series = [clean(name) for name in evidence.columns[first:]]
    title = _title(evidence, reach, clean(evidence.y) if [clean(evidence.y)] != series else "")
    grid.add_column(overflow="fold", max_width=28)
    for _ in range(2):
        grid.add_column(no_wrap=True)
    for place, name in enumerate(evidence.columns[first:], start=first):
        values = [float(row[place]) for row in evidence.rows if is_number(row[place])]
        if values:
            extent = f"{shown(min(values))} to {shown(max(values))}"
            grid.add_row(Text(clean(name)), Text(_spark(values, plain), style="blue"), Text(extent, style="dim"))
    return Group(title, grid) if grid.row_count else None


def _spark(values: list[float], plain: bool) -> str:
    shapes = _PLAIN_SPARKS if plain else _SPARKS
    low, high = min(values), max(values)
    step = max(1.0, len(values) / _LINE)
    chosen = [values[int(i * step)] for i in range(min(_LINE, len(values)))]
    if high == low:
        return shapes[0] * len(chosen)
    return "".join(shapes[round((one - low) / (high - low) * (len(shapes) - 1))] for one in chosen)
