"""Rows that have nothing where a text or a file should be are counted; cells of a table that are missing are not."""

from __future__ import annotations

import pyarrow as pa

from luban.core.schema import Column
from luban.data.blank import blank, told


def test_texts_of_spaces_and_files_that_are_not_there_are_nothing() -> None:
    columns = [Column(name=name, kind=kind) for name, kind in {"n": "number", "said": "text", "seen": "image"}.items()]
    table = pa.table(
        {
            "n": pa.array([None, 1.0, None, 2.0]),
            "said": pa.chunked_array([["", " \t\n"], [None, "房间"]]),
            "seen": pa.array([None, "a.png", "b.png", "c.png"]),
        }
    )
    found = blank(table, columns)
    assert found == {"said": 3, "seen": 1}
    assert told(found, 4, columns) == (
        "3 of 4 rows have nothing in 'said', 1 in 'seen': their answers rest on their other columns."
    )
    assert blank(table.slice(3), columns) == {}
    assert blank(table.slice(0, 0), columns) == {}
    assert told({}, 4, columns) == ""
