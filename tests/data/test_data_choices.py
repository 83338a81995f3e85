"""What a user says about a source is checked: a choice that cannot be is told, and nothing is changed or kept."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

import servers
from luban.core.errors import InputError, MissingExtra, NotFound
from luban.data import read, versions
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    return path


@pytest.mark.parametrize(
    "choice",
    [
        {"delimiter": "ab"},
        {"delimiter": ""},
        {"delimiter": "é"},
        {"delimiter": '"'},
        {"quote": "qq"},
        {"quote": ",", "delimiter": ","},
        {"decimal": "x"},
        {"decimal": ""},
        {"encoding": "nonsense"},
        {"encoding": ""},
        {"encoding": "base64"},
        {"encoding": "rot13"},
        {"encoding": "idna"},
        {"skip": -1},
        {"skip": 1.5},
        {"block": 0},
        {"bad_rows": "drop"},
        {"sheet": "first"},
    ],
)
def test_a_choice_that_cannot_be_is_an_error_of_input(table: Path, choice: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read.table(table, **choice)


@pytest.mark.parametrize("tab", ["\t", "\\t", "tab"])
def test_a_tab_may_be_spelt_out(tmp_path: Path, tab: str) -> None:
    (tmp_path / "t.csv").write_text("a\tb\n1\tx\n")
    assert read.table(tmp_path / "t.csv", delimiter=tab).to_pylist() == [{"a": 1, "b": "x"}]


def test_a_special_column_that_is_not_there_leaves_nothing_behind(table: Path, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "work") as workspace:
        with pytest.raises(NotFound, match="no column is named 'when'"):
            versions.import_data(workspace, table, time="when")
        assert not [path for path in (workspace.root / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "query", ["drop table t", "delete from t", "delete from t returning a", "update t set a = 2", "create table u (a)"]
)
def test_an_import_never_changes_a_database(tmp_path: Path, query: str) -> None:
    path = tmp_path / "d.db"
    with sqlite3.connect(path) as database:
        database.execute("create table t (a int)")
        database.execute("insert into t values (1)")
    with pytest.raises(InputError, match="changes the database"):
        read.table(f"sqlite:///{path}", query=query)
    assert read.table(f"sqlite:///{path}", table="t").to_pylist() == [{"a": 1}]


@pytest.mark.parametrize("query", ["", "  "])
def test_an_empty_query_is_none(tmp_path: Path, query: str) -> None:
    sqlite3.connect(tmp_path / "d.db").close()
    with pytest.raises(InputError, match="either a query or a table"):
        read.table(f"sqlite:///{tmp_path / 'd.db'}", query=query)


def test_a_port_that_is_no_number_and_a_dialect_that_is_not_installed() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read.table("postgresql://host:port/name", table="t")
    with pytest.raises(MissingExtra, match="duckdb-engine"):
        read.table("duckdb:///x", table="t")


def test_an_import_never_changes_a_postgresql() -> None:
    import psycopg

    try:
        with servers.postgresql() as url:
            with psycopg.connect(url) as database:
                database.execute("create table t as select 1 as a")
            for query in ("delete from t returning a", "with gone as (delete from t returning a) select * from gone"):
                with pytest.raises(InputError, match="query"):
                    read.table(url, query=query)
            assert read.table(url, table="t").to_pylist() == [{"a": 1}]
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("folder", [False, True])
def test_rows_that_are_left_out_are_counted_and_told(tmp_path: Path, folder: bool) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv") if folder else ("a.csv",):
        (tmp_path / "in" / name).write_text("a,b\n1,x\n2,y,z\n3\n4,w\n")
    with Workspace.open(tmp_path / "work") as workspace:
        given = tmp_path / "in" if folder else tmp_path / "in" / "a.csv"
        found = versions.import_with_notes(workspace, given, bad_rows="skip")
    count = 4 if folder else 2
    assert found.skipped == count == found.dataset.rows
    assert f"{count} rows were left out: too few or too many cells." in found.notes
