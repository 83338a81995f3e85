"""Every built-in source keeps the protocol, and reads what its kind of file holds."""

from __future__ import annotations

import gzip
import json
import sqlite3

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luban.core import plugins
from luban.core.errors import InputError, LubanError, NotFound
from luban.data import read
from luban.testing.source import check_source

ROWS = [
    {"age": 39, "pay": 1.5, "job": "clerk, senior", "city": "Köln"},
    {"age": 50, "pay": None, "job": 'the "boss"', "city": "北京"},
    {"age": None, "pay": -2.25, "job": "line\nbreak", "city": None},
]
TABULAR = [name for name in plugins.names("sources") if name != "media_folder"]
TABLE = pa.table({name: [row[name] for row in ROWS] for name in ROWS[0]})


def workbook(path, rows):
    """Write a minimal workbook with the standard library alone, as no writer is among the dependencies."""
    import zipfile

    def cell(value):
        if value is None:
            return "<c/>"
        if isinstance(value, str):
            text = value.replace("&", "&amp;").replace("<", "&lt;")
            return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    sheet = "".join("<row>" + "".join(map(cell, row)) + "</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>'
            '<sheet name="people" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
            f'Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        file.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>'
        )


def make(kind, folder):
    """Return (location, options, locations that are broken) of `ROWS` in one kind of source."""
    broken = folder / "broken"
    broken.mkdir()
    frame = pd.DataFrame(ROWS)
    if kind == "csv":
        frame.to_csv(folder / "t.csv", index=False)
        (broken / "empty.csv").write_bytes(b"")
        (broken / "page.csv").write_bytes(b"<!DOCTYPE html><html><body>no</body></html>")
        return folder / "t.csv", {}, [broken / "empty.csv", broken / "page.csv", broken / "absent.csv"]
    if kind == "parquet":
        pq.write_table(TABLE, folder / "t.parquet")
        (broken / "empty.parquet").write_bytes(b"")
        (broken / "half.parquet").write_bytes((folder / "t.parquet").read_bytes()[:-40])
        (broken / "text.parquet").write_text("a,b\n1,2\n")
        return folder / "t.parquet", {}, list(broken.iterdir())
    if kind == "jsonl":
        (folder / "t.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
        (broken / "line.jsonl").write_text('{"a": 1}\n{"a": \n')
        (broken / "empty.jsonl").write_text("\n")
        (broken / "other.json").write_text('["a", "b"]')
        return folder / "t.jsonl", {}, list(broken.iterdir())
    if kind == "excel":
        workbook(folder / "t.xlsx", [list(ROWS[0]), *[list(row.values()) for row in ROWS]])
        (broken / "none.xlsx").write_bytes(b"no workbook at all")
        (broken / "empty.xlsx").write_bytes(b"")
        return folder / "t.xlsx", {}, list(broken.iterdir())
    if kind == "frame":
        return frame, {}, [{"a": [1, 2], "b": [1]}, pd.DataFrame([[1, 2]], columns=["a", "a"])]
    if kind == "sql":
        with sqlite3.connect(folder / "t.db") as connection:
            frame.to_sql("people", connection, index=False)
        return f"sqlite:///{folder}/t.db", {"query": "select * from people"}, [f"sqlite:///{broken}/none.db"]
    (folder / "parts").mkdir()
    frame[:2].to_csv(folder / "parts" / "a.csv", index=False)
    frame[2:].to_csv(folder / "parts" / "b.csv", index=False)
    (broken / "a.csv").write_text("a,b\n1,2\n")
    (broken / "b.csv").write_text("a,c\n1,2\n")
    return folder / "parts", {}, [broken]


@pytest.mark.parametrize("kind", TABULAR)
def test_every_source_keeps_the_protocol(kind, tmp_path):
    location, options, broken = make(kind, tmp_path)
    strangers = ["picture.png", 7, "https://example.org/page.html"]
    # A spreadsheet and a data frame know one kind of number; the values are the same.
    source = plugins.create("sources", kind)
    check_source(source, location, expected=TABLE, strangers=strangers, broken=broken, **options)


@pytest.mark.parametrize("kind", TABULAR)
def test_the_plugin_table_finds_the_source(kind, tmp_path):
    location, options, _ = make(kind, tmp_path)
    assert type(read.find(location)) is plugins.load("sources", kind)
    assert read.table(location, **options).to_pylist() == ROWS


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame(ROWS),
        pl.DataFrame(ROWS),
        TABLE,
        TABLE.to_batches()[0],
        {name: [row[name] for row in ROWS] for name in ROWS[0]},
        ROWS,
    ],
    ids=["pandas", "polars", "table", "batch", "dict", "list"],
)
def test_frames_of_every_make_give_the_same_rows(data):
    assert read.table(data).to_pylist() == ROWS


def test_only_the_capsule_interface_is_needed():
    class Foreign:
        def __arrow_c_stream__(self, requested_schema=None):
            return TABLE.__arrow_c_stream__(requested_schema)

    assert read.table(Foreign()).to_pylist() == ROWS


def test_one_dict_of_values_is_one_row():
    assert read.table({"age": 3, "job": "clerk"}).to_pylist() == [{"age": 3, "job": "clerk"}]


def test_columns_of_mixed_python_values_become_text_or_numbers():
    table = read.table(pd.DataFrame({"a": [1, "x", None], "b": [1, 2.5, None]}, dtype=object))
    assert table["a"].to_pylist() == ["1", "x", None]
    assert table["b"].to_pylist() == [1.0, 2.5, None]


def test_matrix_gets_names():
    assert read.table(np.array([[1.0, 2.0], [3.0, np.nan]])).to_pylist() == [
        {"x0": 1.0, "x1": 2.0},
        {"x0": 3.0, "x1": None},
    ]


def test_json_types_widen_over_blocks(tmp_path, monkeypatch):
    """A column that changes its type after the first block widens instead of breaking."""
    from luban.data.sources import jsonl

    monkeypatch.setattr(jsonl, "_BLOCK", 64)
    path = tmp_path / "t.jsonl"
    rows = [{"a": number, "d": "2024-01-01"} for number in range(20)] + [
        {"a": 2.5, "d": "soon"},
        {"a": "N/A", "e": True},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    table = read.table(path)
    assert table["a"].to_pylist() == [*map(str, range(20)), "2.5", "N/A"]
    assert table["d"].to_pylist()[:2] == ["2024-01-01", "2024-01-01"]
    assert table["e"].to_pylist() == [None] * 21 + [True]


def test_json_error_names_the_line(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\nnot json\n')
    with pytest.raises(InputError, match="line 3"):
        read.table(path)


def test_json_array(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(ROWS))
    assert read.table(path).to_pylist() == ROWS


def test_sqlite_column_that_changes_type_late(tmp_path):
    """SQLite holds any type in any row; the column widens."""
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table t (a)")
        connection.executemany("insert into t values (?)", [(n,) for n in range(30_000)] + [("late",)])
    table = read.table(f"sqlite:///{tmp_path}/t.db", table="t")
    assert table.num_rows == 30_001
    assert table["a"][-1].as_py() == "late"
    assert table["a"][0].as_py() == "0"


def test_sql_parameters_and_errors(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as connection:
        pd.DataFrame(ROWS).to_sql("people", connection, index=False)
    url = f"sqlite:///{tmp_path}/t.db"
    assert read.table(url, query="select age from people where age > :low", parameters={"low": 40}).to_pylist() == [
        {"age": 50}
    ]
    assert read.table(url, query="people").num_rows == 3
    with pytest.raises(NotFound, match="people"):
        read.table(url, table="peple")
    with pytest.raises(InputError, match="no such column"):
        read.table(url, query="select wrong from people")
    with pytest.raises(InputError, match="query or a table"):
        read.table(url)


def test_sheet_by_name_or_place(tmp_path):
    location, _, _ = make("excel", tmp_path)
    assert read.table(location, sheet="people").num_rows == 3
    assert read.table(location, sheet="0").num_rows == 3
    with pytest.raises(NotFound, match="people"):
        read.table(location, sheet="peeple")


def test_absent_file_lists_the_nearest_names(tmp_path):
    (tmp_path / "adult.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NotFound, match=r"adult\.csv"):
        read.table(tmp_path / "adlut.csv")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"  \n\n", "empty"),
        ("t.csv", b"%PDF-1.7 and so on", "PDF"),
        ("t.csv", b"<!doctype html>\n<html></html>", "web page"),
        ("t.txt", b"\x00\x01\x02\x03binary\x00" * 50, "binary"),
        (
            "t.txt",
            b"It was the best of times, it was the worst of times. It was the age of wisdom,\nand so on, and on.\n",
            "no table",
        ),
        ("t.csv", b"PAR1xxxxPAR1", "Parquet"),
        ("report.pdf", b"%PDF-1.7", "PDF"),
        ("t.csv", b"a,a\n1,2\n", "more than once"),
        ("t.csv", b"a,,c\n1,2,3\n", "without a name"),
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "3 cells instead of 2"),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LubanError, match=word) as caught:
        read.table(path)
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_gzip_is_read(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    assert read.table(tmp_path / "t.csv.gz").to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_nested_values_of_many_shapes_stay_nested(tmp_path):
    """As text they would pass for words, and a model would learn from their spelling."""
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"a": {"x": [1, {"z": i}]}, "b": i}) for i in range(20)))
    table = read.table(path)
    assert pa.types.is_nested(table.schema.field("a").type)
    assert table["b"].to_pylist() == list(range(20))
    assert pa.types.is_nested(read.table([{"a": {"x": 1}}, {"a": "none"}]).schema.field("a").type)
    assert read.table([{"a": 1}, {"a": "none"}])["a"].to_pylist() == ["1", "none"]


def test_objects_of_other_shapes_in_later_blocks_stay_nested(tmp_path, monkeypatch):
    monkeypatch.setattr("luban.data.sources.jsonl._BLOCK", 400)
    path = tmp_path / "t.jsonl"
    lines = [{"a": {"x": i}, "b": {"x": i}} for i in range(20)] + [{"a": {"x": i, "y": "n"}, "b": 1} for i in range(20)]
    path.write_text("\n".join(map(json.dumps, lines)))
    table = read.table(path)
    assert table.num_rows == 40
    assert all(pa.types.is_struct(field.type) for field in table.schema)
