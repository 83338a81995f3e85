"""Lists in the terminal: at 80 columns no word is broken letter by letter, however long the names are."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from luban.operations.updates.list_ import UpdateLine, UpdateList
from luban.surfaces.render import looks

LONG = "customer_churn_of_northern_europe"
REASON = "the challenger is no better than the champion: 0.8124 against 0.8131 (95 % interval -0.0113 to 0.0098)"


def shown(result: object, width: int) -> str:
    """What a terminal of this width is sent."""
    stream = io.StringIO()
    looks.show(result, Console(file=stream, width=width))
    return stream.getvalue()


def updates(subject: str, count: int = 3) -> UpdateList:
    """A list of updates of one name."""
    line = UpdateLine(
        run="20261122-192345-4f3a2b",
        subject=subject,
        started=datetime(2026, 11, 22, 19, 23, tzinfo=UTC),
        outcome="refused",
        champion=f"{subject}/12",
        challenger=f"{subject}/13",
        why="labels came: 1,204 since the last update",
        reason=REASON,
    )
    return UpdateList(updates=(line,) * count)


@pytest.mark.parametrize("subject", ["price", LONG])
def test_words_of_a_list_stay_whole_at_80_columns(subject: str) -> None:
    """Every word of every cell is on some line, and no line is wider than the terminal."""
    text = shown(updates(subject), 80)
    assert max(map(len, text.splitlines())) <= 80
    found = set(text.split())
    for word in ("20261122-192345-4f3a2b", "refused", f"{subject}/13", "challenger", *REASON.split()):
        assert word in found, word


def test_a_list_is_a_table_where_there_is_room() -> None:
    """One record a line, under the names of the columns."""
    text = shown(updates("price"), 240)
    assert len([line for line in text.splitlines() if "price/13" in line]) == 3
    assert len([line for line in text.splitlines() if "challenger" in line and "outcome" in line]) == 1
