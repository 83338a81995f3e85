"""Tables of a report in the terminal: every line of a row on one line, cut to the room there is.

Numbers are never cut, for half of a number is another number. Text is cut with an ellipsis, the widest column
first; where even that is too wide, the last columns are left out and named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.surfaces.render.text import clean, column_shown, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group

LEAST = 8  # cells that text is not cut below
GAP = 2  # cells between two columns


def fitting(whole: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns, at most `whole`, that take no more than `room` together.

    What has to go is taken from the widest column that may be cut, one cell after the other; where it is not enough
    the last columns are left out (the first one always stays).
    """
    widths = list(whole)
    while sum(widths) + GAP * (len(widths) - 1) > room:
        cut = [place for place, width in enumerate(widths) if width > least[place]]
        if cut:
            widths[max(cut, key=lambda place: widths[place])] -= 1
        elif len(widths) > 1:
            widths = list(whole[: len(widths) - 1])
        else:
            return [max(1, room)]
    return widths


def table(names: Sequence[str], rows: Sequence[Sequence[Any]], *, room: int, plain: bool) -> Group:
    """Return rows under the names of their columns, at most `room` cells wide."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    values = [[row[place] for row in rows] for place in range(len(names))]
    texts = [column_shown(column) for column in values]
    numeric = [any(map(is_number, column)) and not any(isinstance(one, str) for one in column) for column in values]
    heads = [clean(name) for name in names]
    longest = [max(map(cell_len, column), default=0) for column in texts]
    whole = [max(cell_len(head), cells) for head, cells in zip(heads, longest, strict=True)]
    words = [min(LEAST, max(map(cell_len, head.split()), default=1)) for head in heads]
    broken = [max(word, cells) for word, cells in zip(words, longest, strict=True)]
    least = [
        wide if number else max(word, min(LEAST, cells))
        for word, cells, number, wide in zip(words, longest, numeric, broken, strict=True)
    ]
    # Heads break between their words before any cell is cut.
    roomy = sum(broken) + GAP * (len(broken) - 1) <= room
    widths = fitting(whole, broken, room) if roomy else fitting(broken, least, room)
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for head, number, width in zip(heads, numeric, widths, strict=False):
        grid.add_column(Text(head, overflow="fold"), justify="right" if number else "left", width=width)
    for line in zip(*texts[: len(widths)], strict=True):
        grid.add_row(*(Text(_cut(one, width, plain), no_wrap=True) for one, width in zip(line, widths, strict=True)))
    missing = heads[len(widths) :]
    if not missing:
        return Group(grid)
    return Group(grid, Text(f"a wider terminal shows also: {', '.join(missing)}", style="dim"))


def _cut(text: str, room: int, plain: bool) -> str:
    """Return the text, cut to `room` cells with an ellipsis where it is wider; a Chinese character takes two."""
    from rich.cells import cell_len

    if cell_len(text) <= room:
        return text
    end = ".." if plain else "…"
    while text and cell_len(text + end) > room:
        text = text[:-1]
    return text.rstrip() + end
