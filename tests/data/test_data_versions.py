"""Versions are immutable, equal content has an equal fingerprint, cleaning makes a child, differences are found."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from luban.core.errors import InputError, LubanError, NotFound, Tampered
from luban.data import clean, difference, infer, profile, read, versions
from luban.data.sources.remote import without_password
from luban.store import Workspace


@pytest.fixture
def workspace(tmp_path):
    with Workspace.open(tmp_path / "work") as opened:
        yield opened


@pytest.fixture
def people():
    generator = np.random.default_rng(0)
    n = 300
    return pd.DataFrame(
        {
            "number": np.arange(n) * 3 + 1000,
            "age": generator.integers(18, 80, n),
            "pay": np.where(generator.random(n) < 0.1, np.nan, generator.normal(100, 10, n).round(2)),
            "city": generator.choice(["Bonn", "Köln", "北京"], n),
            "same": "s",
        }
    )


def test_equal_content_has_an_equal_fingerprint_whatever_it_comes_from(workspace, people, tmp_path):
    people.to_csv(tmp_path / "people.csv", index=False)
    people.to_parquet(tmp_path / "people.parquet")
    found = [
        versions.import_data(workspace, data, name="people")
        for data in (
            tmp_path / "people.csv",
            str(tmp_path / "people.parquet"),
            people,
            pl.from_pandas(people),
            pa.Table.from_pandas(people),
        )
    ]
    assert {one.fingerprint for one in found} == {found[0].fingerprint}
    assert {one.reference for one in found} == {"people/1"}
    other = versions.import_data(workspace, people.assign(age=people["age"] + 1), name="people")
    assert other.reference == "people/2"
    assert other.fingerprint != found[0].fingerprint


def test_chunks_do_not_depend_on_the_batches_they_come_in(workspace, monkeypatch):
    monkeypatch.setattr("luban.data.chunks._MOST_ROWS", 100)
    monkeypatch.setattr("luban.data.chunks._FEWEST_ROWS", 100)
    table = pa.table({"a": list(range(1050)), "b": [str(k) for k in range(1050)]})
    fingerprints = set()
    for size in (7, 100, 333, 2000):
        batches = table.to_batches(max_chunksize=size)
        fingerprints.add(versions.import_data(workspace, pa.Table.from_batches(batches), name="t").fingerprint)
    assert len(fingerprints) == 1
    dataset = workspace.datasets.get("t")
    assert len(workspace.datasets.manifest(dataset)["chunks"]) == 11
    assert versions.table(workspace, dataset).equals(table)
    assert versions.table(workspace, "t/1", columns=["b"]).column_names == ["b"]


def test_appended_rows_share_the_chunks_before_them(workspace, monkeypatch):
    monkeypatch.setattr("luban.data.chunks._MOST_ROWS", 100)
    monkeypatch.setattr("luban.data.chunks._FEWEST_ROWS", 100)
    one = versions.import_data(workspace, pa.table({"a": list(range(500))}), name="t")
    two = versions.import_data(workspace, pa.table({"a": list(range(600))}), name="t")
    chunks = [[chunk["digest"] for chunk in workspace.datasets.manifest(dataset)["chunks"]] for dataset in (one, two)]
    assert chunks[1][:5] == chunks[0]


def test_a_changed_byte_is_refused(workspace, people):
    dataset = versions.import_data(workspace, people, name="people")
    digest = workspace.datasets.manifest(dataset)["chunks"][0]["digest"]
    path = workspace.blobs.local(digest)
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(Tampered):
        versions.table(workspace, dataset)


def test_special_columns_and_names(workspace, people, tmp_path):
    people.to_csv(tmp_path / "my people.2024.csv", index=False)
    dataset = versions.import_data(workspace, tmp_path / "my people.2024.csv", key="number", group="city")
    assert dataset.name == "my_people"
    assert (dataset.schema.key, dataset.schema.group) == ("number", "city")
    assert dataset.schema.column("number").role == "key"
    with pytest.raises(NotFound, match="city"):
        versions.import_data(workspace, people, name="p", group="citty")


def test_nothing_is_written_for_a_table_without_rows(workspace, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(InputError, match="no rows"):
        versions.import_data(workspace, tmp_path / "t.csv")
    assert workspace.datasets.list() == []


def test_a_password_is_not_kept():
    assert without_password("postgresql://ann:secret@host/db") == "postgresql://ann:***@host/db"


def test_kinds_inferred_from_a_sample_are_held_against_all_rows(workspace, monkeypatch):
    monkeypatch.setattr(versions, "SAMPLE", 1000)
    texts = [f"{k}.5" for k in range(8000)]
    texts[777] = "broken"
    dataset = versions.import_data(workspace, pa.table({"a": texts, "b": list(range(8000))}), name="t")
    assert dataset.schema.column("a").kind == "category"
    assert versions.table(workspace, dataset)["a"][777].as_py() == "broken"


def test_cleaning_makes_a_child_and_leaves_the_parent(workspace, people):
    parent = versions.import_data(workspace, pd.concat([people, people[:5]]), name="people")
    before = versions.table(workspace, parent)
    child, notes = clean.clean(
        workspace,
        parent,
        ["duplicates", "constant", "fill columns=pay value=median", "filter column=age operator=>= value=30"],
    )
    assert (child.name, child.version, child.parents) == ("people", 2, ("people/1",))
    assert [step.component for step in child.recipe.steps] == [
        "clean.duplicates",
        "clean.constant",
        "clean.fill",
        "clean.filter",
    ]
    table = versions.table(workspace, child)
    assert "same" not in table.column_names
    assert table["pay"].null_count == 0
    assert min(table["age"].to_pylist()) >= 30
    assert table.num_rows == (people["age"] >= 30).sum()
    assert len(notes) == 4
    assert versions.table(workspace, "people/1").equals(before)
    replayed = clean.apply(before, parent.schema, workspace.datasets.get("people/2").recipe)
    assert replayed.table.equals(table)


STEPS = [
    ("duplicates", {"a": [1, 1, 2], "b": ["x", "x", "x"]}, {"a": [1, 2], "b": ["x", "x"]}),
    ("duplicates columns=b", {"a": [1, 3, 2], "b": ["x", "x", "y"]}, {"a": [1, 2], "b": ["x", "y"]}),
    ("constant", {"a": [1, 1], "b": [1, 2]}, {"b": [1, 2]}),
    ("drop columns=a", {"a": [1, 1], "b": [1, 2]}, {"b": [1, 2]}),
    ("fill value=mean", {"a": [1, None, 3]}, {"a": [1, 2, 3]}),
    ("fill value=mode", {"a": ["x", None, "x", "y"]}, {"a": ["x", "x", "x", "y"]}),
    ("fill columns=a value=0", {"a": [1, None, 3]}, {"a": [1, 0, 3]}),
    ("clip columns=a low=0 high=2", {"a": [-5, 1, None, 9]}, {"a": [0, 1, None, 2]}),
    ("infinities", {"a": [1.0, float("inf")]}, {"a": [1.0, None]}),
    ("trim", {"a": [" x ", "y  z", " "]}, {"a": ["x", "y z", None]}),
    ("case to=upper", {"a": ["x", None]}, {"a": ["X", None]}),
    ("parse columns=a to=number", {"a": ["1,5", "2,25"]}, {"a": [1.5, 2.25]}),
    ("parse columns=a to=boolean", {"a": ["yes", "no", None]}, {"a": [True, False, None]}),
    ("parse columns=a to=category", {"a": [1, 2]}, {"a": ["1", "2"]}),
    ("filter column=a operator=> value=1", {"a": [1, 2, None]}, {"a": [2]}),
    ("filter column=a operator=present", {"a": [1, 2, None]}, {"a": [1, 2]}),
    ('filter column=a operator=in value=["x","z"]', {"a": ["x", "y", "z"]}, {"a": ["x", "z"]}),
]


@pytest.mark.parametrize(("step", "before", "after"), STEPS)
def test_each_step(step, before, after):
    table = pa.table(before)
    cleaned = clean.apply(table, infer.infer_schema(table), clean.recipe([step]))
    assert cleaned.table.to_pydict() == after
    assert cleaned.schema.names == tuple(after)
    assert cleaned.notes


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ("duplicate", "duplicates"),
        ("drop columns=ab", "ab"),
        ("drop columns=a,b", "no column"),
        ("case", "nothing"),
        ("clip columns=b", "no number"),
        ("drop", "not complete"),
        ("fill with=3", "parameter"),
        ("filter column=a operator=~ value=3", "operator"),
        ("filter column=a operator=> value=99", "no row"),
        ("parse columns=b to=number", "no number"),
    ],
)
def test_steps_of_nonsense(step, word):
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    if word == "nothing":
        assert "nothing" in clean.apply(table, infer.infer_schema(table), clean.recipe([step])).notes[0]
        return
    with pytest.raises(LubanError, match=word):
        clean.apply(table, infer.infer_schema(table), clean.recipe([step]))


def test_difference_by_key(people):
    after = people.drop(columns="same").assign(extra=1)
    after.loc[3, "pay"] = 1.0
    after = after.drop(index=[0, 1])
    after = pd.concat([after, after.iloc[:1].assign(number=9999)]).sample(frac=1, random_state=0)
    report = difference.difference(read.table(people), read.table(after), key="number")
    figures = report.figures
    assert (figures["rows_removed"], figures["rows_added"], figures["rows_changed"]) == (2, 1, 1)
    assert figures["changed_by_column"] == {"pay": 1}
    assert (figures["columns_added"], figures["columns_removed"]) == (["extra"], ["same"])


def test_difference_by_row_counts_repeats_and_ignores_order():
    one = pa.table({"a": [1, 1, 2, None], "b": ["x", "x", "y", "z"]})
    other = pa.table({"a": [None, 1, 2, 2], "b": ["z", "x", "y", "y"]})
    figures = difference.difference(one, other).figures
    assert (figures["rows_removed"], figures["rows_added"]) == (1, 1)
    same = difference.difference(one, one.take([3, 2, 1, 0]))
    assert same.verdict == "pass"
    assert "another order" in same.findings[0].what


def test_difference_compares_values_and_not_storage():
    report = difference.difference(
        pa.table({"a": [1, 2], "k": [1, 2]}), pa.table({"a": ["1", "2"], "k": [1.0, 2.0]}), key="k"
    )
    assert report.figures["rows_changed"] == 0
    assert "a" in report.figures["columns_retyped"]


def test_difference_finds_a_shift(people):
    shifted = people.assign(age=people["age"] + 30)
    report = difference.difference(read.table(people), read.table(shifted))
    assert report.verdict == "warn"
    assert max(report.figures["shifts"], key=report.figures["shifts"].get) == "age"


def test_difference_refuses_a_key_that_repeats(people):
    with pytest.raises(InputError, match="not unique"):
        difference.difference(read.table(people), read.table(people), key="city")


def test_profile_finds_what_was_put_there(people):
    frame = people.assign(
        target=np.where(people["age"] > 75, "yes", "no"),
        after=np.where(people["age"] > 75, "paid", "open"),
        lost=np.nan,
        target_log=1.5,
    )
    frame.loc[0, "pay"] = 1e6
    frame = pd.concat([frame, frame[:9]])
    table = read.table(frame)
    report = profile.profile(table, infer.infer_schema(table), target="target", subject="people/1")
    figures = report.figures
    assert figures["duplicate_rows"] == 9
    assert figures["leaks"].keys() >= {"after", "age"}
    assert "pay" not in figures["leaks"]
    assert figures["by_column"]["pay"]["outliers"] >= 1
    assert figures["by_column"]["lost"]["missing"] == len(frame)
    text = " | ".join(finding.what for finding in report.findings)
    for word in ("repeat", "One value only: same, lost, target_log", "imbalanced", "Named like the target: target_log"):
        assert word in text
    assert report.verdict == "warn"


def test_profile_of_regression_finds_a_copy_and_leaves_noise():
    generator = np.random.default_rng(1)
    price = generator.normal(size=2000)
    table = pa.table({"price": price, "copy": price * 2 + 1, "noise": generator.normal(size=2000)})
    report = profile.profile(table, infer.infer_schema(table), target="price")
    assert set(report.figures["leaks"]) == {"copy"}


def test_profile_of_real_data(shared_data):
    """Figures equal those of pandas, and no column of a clean set is called a leak."""
    path = shared_data("adult") / "data.parquet"
    frame = pd.read_parquet(path).drop(columns="split")
    table = read.table(frame)
    report = profile.profile(table, infer.infer_schema(table), target="class", subject="adult")
    assert report.figures["duplicate_rows"] == int(frame.duplicated().sum())
    assert report.figures["missing_cells"] == int(frame.isna().sum().sum())
    assert report.figures["leaks"] == {}
    by_column = report.figures["by_column"]
    assert by_column["age"]["q50"] == frame["age"].median()
    assert by_column["native_country"]["distinct"] == frame["native_country"].nunique()


def test_the_difference_begins_with_its_answer_and_shows_few_columns():
    """The rows that came and went come first, then shifts, then columns; wide rows are cut, the key is kept."""
    wide = pa.table({f"c{i}": np.arange(300.0) for i in range(20)} | {"key": np.arange(300)})
    after = wide.slice(2).append_column("extra", pa.array(np.ones(298))).set_column(0, "c0", pa.array(np.ones(298)))
    report = difference.difference(wide, after, key="key")
    whats = [finding.what for finding in report.findings]
    assert whats[0].startswith("0 rows added, 2 removed (300 before, 298 after)")
    assert whats.index("Columns added: extra") > next(i for i, what in enumerate(whats) if "has shifted" in what)
    (shown,) = report.findings[0].evidence
    assert len(shown.columns) == 6
    assert shown.columns[0] == "key"
    assert "6 of 21 columns" in shown.title


def test_the_profile_says_what_it_took_as_missing_and_draws_no_identifiers():
    """Words for "missing" are counted; small shares draw no full bar; a column of names is not drawn."""
    generator = np.random.default_rng(0)
    paid = [str(one) for one in generator.integers(100, 900, 300)]
    paid[3], paid[7], paid[9] = " ", " ", "n/a"
    table = pa.table({"name": [f"id-{i}" for i in range(300)], "paid": paid, "age": generator.integers(18, 80, 300)})
    report = profile.profile(table, infer.infer_schema(table))
    whats = [finding.what for finding in report.findings]
    assert "'paid' holds numbers written as text; taken as missing: a text of spaces in 2 rows, 'n/a' in 1 row" in whats
    assert "1 column has missing values: 'paid' in 3 of 300 rows (1 %)" in whats
    evidence = [one for finding in report.findings for one in finding.evidence]
    assert next(one for one in evidence if one.title == "Missing values").drawing == "table"
    assert {one.title for one in evidence if one.drawing in {"bar", "histogram"}} == {"paid", "age"}


@pytest.mark.long
def test_a_million_rows_are_imported_in_bounded_memory(tmp_path):
    """Peak memory of the process stays under 600 MB and does not grow with the rows."""
    code = textwrap.dedent(
        """
        import re, sys
        from pathlib import Path
        from luban.store import Workspace
        from luban.data import versions
        path, folder, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
        with Workspace.open(folder) as workspace:
            dataset = versions.import_data(workspace, path, name="big")
            assert dataset.rows == rows, dataset.rows
        # Not ru_maxrss: a process inherits that from the one that starts it, which may be a large one.
        print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
        """
    )

    def peak(rows):
        path = tmp_path / f"{rows}.csv"
        generator = np.random.default_rng(0)
        block = pd.DataFrame({f"f{k}": generator.normal(size=50_000).round(4) for k in range(16)})
        for k in range(4):
            block[f"c{k}"] = generator.choice([f"level-{level}" for level in range(50)], 50_000)
        for place in range(rows // 50_000):
            block.to_csv(path, index=False, mode="a", header=place == 0)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(tmp_path / f"w{rows}"), str(rows)],
            capture_output=True,
            text=True,
            check=True,
        )
        path.unlink()
        return int(done.stdout)

    small, large = peak(500_000), peak(1_000_000)
    assert large < 600
    assert large < small + 80
