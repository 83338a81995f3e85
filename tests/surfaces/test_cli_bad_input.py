"""Bad input to `luban fit` and friends: one line that says what to do, exit code 2, nothing written, nothing lost."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.surfaces.conftest import Answer, CommandLine

# Each case starts the command anew; what they go through has quick tests in its own room.
pytestmark = pytest.mark.long
ROWS = 40


def table(**columns: list[object]) -> str:
    lines = [",".join(columns)]
    lines += [
        ",".join("" if value is None else str(value) for value in row) for row in zip(*columns.values(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def good(**more: list[object]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {
        "a": [(7 * i) % 11 for i in range(ROWS)],
        "b": [((5 * i) % 13) / 2 for i in range(ROWS)],
        "y": ["yes" if (7 * i) % 11 > 5 else "no" for i in range(ROWS)],
    }
    return columns | more


FILES: dict[str, tuple[bytes | str, str]] = {
    "empty file": ("", "empty"),
    "header only": ("a,b,y\n", "row"),
    "binary": (bytes(range(256)) * 40, ""),
    "html page": ("<!doctype html><html><body><p>Hello</p></body></html>\n" * 5, ""),
    "prose": ("It was the best of times.\nIt was the worst of times, it was the age of wisdom.\n\nEnd.\n", ""),
    "one class": (table(**good(y=["yes"] * ROWS)), "one class"),
    "target all missing": (table(**good(y=[None] * ROWS)), "missing"),
    "duplicate columns": ("a,a,y\n" + "1,2,yes\n2,3,no\n" * 20, "'a'"),
    "unnamed column": ("a,,y\n" + "1,2,yes\n2,3,no\n" * 20, "without a name"),
    "infinities": (table(**good(b=["inf" if i == 3 else i for i in range(ROWS)])), "'b'"),
    "three rows": (table(a=[1, 2, 3], y=["yes", "no", "yes"]), "too few rows"),
}


def refused(answer: Answer) -> str:
    """Check that an answer is one clear line with exit code 2, and return the line."""
    assert answer.code == 2, (answer.out, answer.err)
    assert "Traceback" not in answer.err
    errors = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, answer.err
    return errors[0]


def nothing_kept(luban: CommandLine) -> None:
    """Check that there is no workspace, and that one looked for is empty."""
    assert not (luban.folder / ".luban").exists()
    assert luban("models", "list", "--json").json == {"models": []}
    assert luban("data", "list", "--json").json == {"datasets": []}
    assert luban("runs", "list", "--json").json["runs"] == []


@pytest.mark.parametrize("what", FILES)
def test_file_that_cannot_be_learnt_from(luban: CommandLine, what: str) -> None:
    content, words = FILES[what]
    path = luban.folder / "bad.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = path.read_bytes()
    line = refused(luban("fit", "bad.csv", "--target", "y", "--budget", "5s"))
    assert words in line
    assert path.read_bytes() == before
    nothing_kept(luban)


def test_json_mode_prints_the_error_as_one_object(luban: CommandLine) -> None:
    (luban.folder / "bad.csv").write_text("")
    answer = luban("fit", "bad.csv", "--target", "y", "--json")
    refused(answer)
    assert set(answer.json["error"]) == {"code", "happened", "seen", "remedy"}


def test_missing_target_gets_the_nearest_names(luban: CommandLine) -> None:
    (luban.folder / "t.csv").write_text(table(**good(outcome=[i % 2 for i in range(ROWS)])))
    assert "outcome" in refused(luban("fit", "t.csv", "--target", "outcom", "--budget", "5s"))
    nothing_kept(luban)


def test_missing_file_gets_the_nearest_names(luban: CommandLine) -> None:
    (luban.folder / "customers.csv").write_text(table(**good()))
    assert "customers.csv" in refused(luban("fit", "custmers.csv", "--target", "y"))


def test_nested_values_are_named(luban: CommandLine) -> None:
    rows = [f'{{"a": {i}, "b": {{"c": {i}}}, "y": "{"yes" if i % 2 else "no"}"}}' for i in range(ROWS)]
    (luban.folder / "t.jsonl").write_text("\n".join(rows))
    assert "'b'" in refused(luban("fit", "t.jsonl", "--target", "y", "--budget", "5s"))
    nothing_kept(luban)


def test_wrong_encoding_is_told(luban: CommandLine) -> None:
    (luban.folder / "t.csv").write_bytes(table(**good(名=["甲", "乙"] * (ROWS // 2))).encode("gb18030"))
    answer = luban("data", "import", "t.csv", "--name", "t", "--encoding", "utf-8")
    assert "utf-8" in refused(answer).lower()
    nothing_kept(luban)


@pytest.mark.parametrize("budget", ["soon", "-5s", "0", "5 parsecs", "nan"])
def test_budget_of_nonsense(luban: CommandLine, budget: str) -> None:
    (luban.folder / "t.csv").write_text(table(**good()))
    assert "60s, 5m or 1h30m" in refused(luban("fit", "t.csv", "--target", "y", f"--budget={budget}"))
    nothing_kept(luban)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--metric", "roc_acu", "roc_auc"),
        ("--learners", "lightgmb", "lightgbm"),
        ("--task", "classify", "binary"),
        ("--searcher", "tpee", "tpe"),
        ("--ignore", "c", "column"),
        ("--name", "../evil", "name"),
        ("--rounds", "0", "rounds"),
    ],
)
def test_option_of_nonsense_gets_what_is_allowed(luban: CommandLine, option: str, value: str, words: str) -> None:
    (luban.folder / "t.csv").write_text(table(**good()))
    assert words in refused(luban("fit", "t.csv", "--target", "y", option, value))
    nothing_kept(luban)


def test_model_that_does_not_exist_gets_the_nearest_names(fitted: CommandLine) -> None:
    assert "tumours" in refused(fitted("predict", "tumour", "test.csv", "-o", "out.parquet"))
    assert "tumours" in refused(fitted("predict", "tumours/99", "test.csv", "-o", "out.parquet"))
    refused(fitted("predict", "tumours@nobody", "test.csv", "-o", "out.parquet"))
    assert not (fitted.folder / "out.parquet").exists()


def test_output_is_checked_before_the_work(fitted: CommandLine) -> None:
    assert ".parquet" in refused(fitted("predict", "tumours", "test.csv", "-o", "out.docx"))
    assert "folder" in refused(fitted("predict", "tumours", "test.csv", "-o", "no/such/out.parquet"))


def test_rows_without_a_column_name_it(fitted: CommandLine) -> None:
    (fitted.folder / "few.csv").write_text("mean radius\n14.1\n")
    line = refused(fitted("predict", "tumours", "few.csv", "-o", "few.parquet"))
    assert "mean texture" in line
    answer = fitted("predict", "tumours", "few.csv", "-o", "few.parquet", "--missing", "fill", "--json")
    assert answer.code == 0
    assert answer.json["rows"] == 1
    assert any("mean texture" in note for note in answer.json["notes"])


def test_workspace_that_cannot_be_written(luban: CommandLine) -> None:
    (luban.folder / "t.csv").write_text(table(**good()))
    (luban.folder / "file").write_text("no folder")
    refused(luban("fit", "t.csv", "--target", "y", LUBAN_WORKSPACE=str(luban.folder / "file" / "inside")))
    refused(luban("data", "import", "t.csv", LUBAN_WORKSPACE="/proc/luban"))


def test_database_that_is_away(luban: CommandLine) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    line = refused(luban("models", "list", LUBAN_STORE=url))
    assert "Traceback" not in line


def test_tampered_model_is_refused(luban: CommandLine, fitted: CommandLine) -> None:
    import shutil

    shutil.copytree(fitted.folder / ".luban", luban.folder / ".luban")
    shown = luban("models", "verify", "tumours", "--json").json
    assert shown["payloads"] > 1
    blobs = [path for path in (luban.folder / ".luban" / "blobs").rglob("*") if path.is_file()]
    manifest = next(path for path in blobs if shown["artifact"].split(":")[1].endswith(path.name[-40:]))
    content = bytearray(manifest.read_bytes())
    content[len(content) // 2] ^= 1
    manifest.chmod(0o644)
    manifest.write_bytes(content)
    for verb in (["models", "verify", "tumours"], ["predict", "tumours", str(fitted.folder / "test.csv")]):
        assert "digest" in refused(luban(*verb)) or "tampered" in refused(luban(*verb))


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="this system has no full device")
def test_disk_that_is_full(fitted: CommandLine, tmp_path: Path) -> None:
    del tmp_path
    (fitted.folder / "full.html").symlink_to("/dev/full")
    answer = fitted("evaluate", "tumours", "test.csv", "--html", "full.html")
    assert "space" in refused(answer).lower()


def test_broken_database_file_is_told(luban: CommandLine) -> None:
    (luban.folder / "t.csv").write_text(table(**good()))
    assert luban("data", "import", "t.csv").code == 0
    database = next((luban.folder / ".luban").glob("*.db"))
    database.write_bytes(b"this is no database" * 500)
    for side in ("-wal", "-shm"):
        database.with_name(database.name + side).unlink(missing_ok=True)
    refused(luban("models", "list"))
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(database).execute("select 1 from sqlite_master")
