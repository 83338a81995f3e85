"""The folder that predicts with onnxruntime and numpy alone: it reads rows as the runtime does, answers the same."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import subprocess
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import media_models as media
import small_models as small
from isolated import closure, environment
from luban.core.errors import Conflict, LubanError, Unsupported
from luban.core.protocols import Examples, Unsuitable
from luban.data.conform import conform
from luban.data.row import row_reader
from luban.export.onnx.build import build
from luban.export.python.exporter import PythonExporter
from luban.learners.graph.columns import feeds
from luban.serving.runtime import Runtime

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = Examples(table=small.random_table(100), target=np.zeros(100))
ROW = {"age": 39, "colour": "red", "member": True, "since": "2020-05-17", "note": "x"}


def program(folder: Path) -> Any:
    """Return the exported program as a module."""
    spec = importlib.util.spec_from_file_location("exported_predict", folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exported(folder: Path, fitted: Any) -> Any:
    """Return the exported model."""
    PythonExporter().export(fitted, str(folder))
    return program(folder).Model(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("python") / "out"
    done = PythonExporter().export(small.fitted(small.BINARY), str(made), EXAMPLES, reference="income/3")
    assert done["path"] == str(made)
    assert done["parity"] <= 1e-5
    assert done["packages"] == ["numpy", "onnxruntime"]
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return program(folder).Model(folder)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    fitted = small.fitted(small.BINARY)
    return Runtime.from_fitted(fitted, build(fitted))


def outcome(ask: Any, *errors: type[Exception]) -> Any:
    """Return what was answered, or that it was refused."""
    try:
        return ask()
    except errors:
        return "refused"


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)


WORDS = st.sampled_from(
    [
        *("", " ", "red", "grün", "never seen", "NA", "nan", "?", "-", "无", "#N/A", "half"),
        *("1", "0", "yes", "No", "t", "是", "假", "true", "maybe"),
        *(
            "1,5",
            "1.234,5",
            "1,234.5",
            "1,234",
            "12,34,5",
            "1e3",
            "1_000",
            "inf",
            "-Infinity",
            "0x1f",
            " 7 ",
            "١٢",
            "3.0",
        ),
        *("2020-05-17", "20200517", "2020-05-17T10:00:00+02:00", "17.05.2020", "1999-02-30", "12:00"),
    ]
)
VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(), WORDS, st.text(max_size=12)),
    *(st.dates(), st.datetimes(timezones=st.sampled_from([None, UTC]))),
    *(st.just([1]), st.just({"a": 1}), st.just(b"red"), st.integers(0, 99).map(np.int64)),
    st.floats(allow_nan=False, allow_infinity=False).map(np.float64),
)
NUMBERS = st.from_regex(r"[+-]?[0-9.,' ]{1,12}", fullmatch=True)
DATES = st.from_regex(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}", fullmatch=True)
FORMS = ["string", "string ,", "string .", "string %d/%m/%Y", "string %d.%m.%Y", "string %Y-%m"]


@settings(max_examples=400, deadline=None)
@given(row=st.fixed_dictionaries({}, optional=dict.fromkeys((*small.NAMES, "other"), VALUES)), fill=st.booleans())
def test_a_row_is_read_as_the_runtime_reads_it(model: Any, runtime: Runtime, row: dict[str, Any], fill: bool) -> None:
    """Every value, of every type, in every column: taken as the same value, or refused by both."""
    missing: Any = "fill" if fill else "error"
    read = row_reader(small.COLUMNS, missing=missing, paths=False)
    expected = outcome(lambda: read(row), LubanError)
    found = outcome(lambda: model.read([row], missing=missing)[0], ValueError)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    assert list(found) == list(expected)
    assert all(same(found[name], value) for name, value in expected.items()), (found, expected)
    answered = runtime.predict_row(row, missing=missing)
    assert model.predict([row], missing=missing)[0]["prediction"] == answered["prediction"]


OF_ONE_KIND = st.sampled_from(
    [
        st.one_of(st.none(), WORDS, NUMBERS, DATES),
        st.one_of(st.none(), st.floats()),
        st.one_of(st.none(), st.integers(-(2**53), 2**53)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1))),
    ]
)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), rows=st.integers(1, 4))
def test_rows_together_make_the_tensors_that_they_make_for_the_runtime(model: Any, data: Any, rows: int) -> None:
    """Many rows are a table for the runtime, which finds the type of each column; the tensors are the same bits."""
    columns = {name: data.draw(st.lists(data.draw(OF_ONE_KIND), min_size=rows, max_size=rows)) for name in small.NAMES}
    given_rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    expected = outcome(lambda: feeds(conform(given_rows, small.COLUMNS).table, small.COLUMNS), LubanError)
    found = outcome(lambda: model.feeds(model.read(given_rows)), ValueError)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(WORDS, NUMBERS, DATES), storage=st.sampled_from(FORMS), kind=st.sampled_from(["number", "date"]))
def test_marks_and_forms_are_those_of_the_column(model: Any, text: str, storage: str, kind: Any) -> None:
    from luban.core.schema import Column

    read = row_reader([Column(name="a", kind=kind, storage=storage)])
    expected = outcome(lambda: read({"a": text})["a"], LubanError)
    described = {"column": "a", "kind": kind, "storage": storage}
    assert same(outcome(lambda: model._value(described, text), ValueError), expected)


@pytest.mark.parametrize("task", [small.BINARY, small.THREE, small.NUMBER, small.QUANTILES])
def test_answers_are_those_of_the_runtime(task: Any, tmp_path: Path) -> None:
    fitted = small.fitted(task, threshold=0.3 if task is small.BINARY else None)
    ready = Runtime.from_fitted(fitted, build(fitted))
    rows = small.random_table(50).to_pylist()
    assert exported(tmp_path, fitted).predict(rows) == [ready.predict_row(row) for row in rows]


def test_columns_may_come_in_any_order_or_not_at_all(model: Any) -> None:
    (plain,) = model.predict([ROW])
    assert model.predict([dict(reversed(ROW.items())) | {"other": 1}]) == [plain]
    assert model.unknown([ROW | {"other": 1}]) == ["other"]
    with pytest.raises(ValueError, match="'age' is missing"):
        model.predict([{"colour": "red"}])
    assert model.predict([{}], missing="fill") == model.predict([dict.fromkeys(ROW)])
    assert model.predict([{"age": 1}, ROW], missing="fill")[1] == plain
    assert model.predict([]) == []
    for wrong in ({"age": 1}, [1], "rows"):
        with pytest.raises(ValueError, match="list of objects"):
            model.predict(wrong)
    with pytest.raises(ValueError, match="error or fill"):
        model.predict([ROW], missing="drop")


def test_it_runs_where_nothing_but_two_packages_is(folder: Path, tmp_path: Path) -> None:
    """Of this machine's packages only onnxruntime, numpy and what these require can be imported there."""
    assert not closure(["onnxruntime", "numpy"]) & {"luban", "onnx", "pandas", "pyarrow", "scipy", "scikit-learn"}
    python = environment(tmp_path / "venv", ["onnxruntime", "numpy"])
    table = small.random_table(60, seed=1)
    rows = [row | {"since": None if row["since"] is None else row["since"].isoformat()} for row in table.to_pylist()]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    done = subprocess.run(
        [python, folder / "predict.py", tmp_path / "rows.json"], capture_output=True, text=True, check=True, cwd="/"
    )
    expected = small.fitted(small.BINARY).predict(table)
    found = json.loads(done.stdout)
    assert [one["prediction"] for one in found] == expected.prediction.to_pylist()
    largest = max(
        abs(one["probabilities"]["high"] - p[1]) for one, p in zip(found, expected.probabilities, strict=True)
    )
    assert largest <= 1e-6
    for other in ("pandas", "pyarrow", "luban"):
        assert subprocess.run([python, "-c", f"import {other}"], capture_output=True, check=False).returncode == 1


def test_a_table_is_read_from_a_file(folder: Path, model: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeffage;colour;note;member;since\n39,5;red;x;yes;2020-05-17\n;NA;;;\n", encoding="utf-8")
    rows = program(folder).rows_of(path, model.columns)
    assert rows[1] == dict.fromkeys(("age", "colour", "note", "member", "since"))
    assert model.predict(rows) == model.predict([ROW | {"age": 39.5, "member": "true"}, dict.fromkeys(ROW)])
    code = [{"column": "code", "kind": "category", "storage": "double"}]
    path.write_text("code\n3.0\n4\n", encoding="utf-8")
    assert [row["code"] for row in program(folder).rows_of(path, code)] == [3.0, 4.0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("a.csv", "age,age\n1,2\n", "a column twice"), ("a.csv", "", "no head"), ("a.csv", "age,colour\n1\n", "1 cells"),
     ("a.json", "{", "Expecting"), ("a.json", "[1]", "list of objects"), ("a.csv", "age\nx\n", "as missing: --fill\n"),
     ("a.csv", "年龄\n1\n".encode("gbk"), "is not UTF-8: byte 0xc4 at 0; save it")],
)  # fmt: skip
def test_a_wrong_file_is_an_error_of_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    module = program(folder)
    assert module.main([str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert module.main([str(tmp_path / "no file")]) == 2


def test_pictures_and_sounds_are_content_or_files(tmp_path: Path) -> None:
    model = exported(tmp_path / "out", media.fitted())
    needs = (tmp_path / "out" / "requirements.txt").read_text()
    names = [line.partition("==")[0] for line in needs.splitlines()]
    assert names == ["numpy", "onnxruntime", "pillow", "scipy", "soundfile"]
    (tmp_path / "cat.png").write_bytes(media.picture(200))
    uri = f"data:image/jpeg;base64,{media.plain(media.picture(30, kind='JPEG'))}"
    rows: list[dict[str, Any]] = [
        {"photo": str(tmp_path / "cat.png"), "sound": media.plain(media.sound(0.7)), "age": 40},
        {"photo": uri, "sound": None, "age": None},
        {"photo": media.plain(media.picture(90)), "sound": media.plain(media.sound(0.2)), "age": 1.5},
    ]
    expected = media.fitted().predict(rows)
    found = model.predict(rows)
    assert [one["prediction"] for one in found] == expected.prediction.to_pylist()
    np.testing.assert_allclose(
        [one["probabilities"]["bright"] for one in found], expected.probabilities[:, 1], atol=1e-5
    )
    wary = program(tmp_path / "out").Model(tmp_path / "out", paths=False)
    with pytest.raises(ValueError, match="never as a path"):
        wary.predict(rows)
    broken = f"data:image/png;base64,{media.plain(media.picture(9)[:60])}"
    with pytest.raises(ValueError, match="photo of row 2 cannot be read"):
        model.predict([rows[1], rows[1] | {"photo": broken}])


def test_a_model_that_answers_no_number_is_told(tmp_path: Path) -> None:
    model = exported(tmp_path, small.fitted(small.NUMBER))
    model._run = lambda read: np.full(len(read), np.nan)
    with pytest.raises(RuntimeError, match="no number"):
        model.predict([ROW])


def test_what_cannot_leave_says_which_part_and_what_can(tmp_path: Path) -> None:
    stuck = small.fitted(small.BINARY, small.ByHand(task=small.BINARY), small.NoGraph(task=small.BINARY))
    answer = PythonExporter().supports(stuck)
    assert isinstance(answer, Unsuitable)
    assert "no_graph" in answer.reason
    with pytest.raises(Unsupported, match="without=") as caught:
        PythonExporter().export(stuck, str(tmp_path / "out"), EXAMPLES)
    assert "no_graph" in str(caught.value)
    assert not (tmp_path / "out").exists()
    done = PythonExporter().export(stuck, str(tmp_path / "out"), EXAMPLES, without=["no_graph"])
    assert done["left_out"] == ["no_graph"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    fitted = small.fitted(small.BINARY)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Conflict, match=r"mine\.txt"):
        PythonExporter().export(fitted, str(tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(Conflict, match="is a file"):
        PythonExporter().export(fitted, str(tmp_path / "mine.txt"))
    out, other = tmp_path / "out", tmp_path / "other"
    PythonExporter().export(fitted, str(out))
    other.write_text("not to be written to")
    (out / "predict.py").unlink()
    (out / "predict.py").symlink_to(other)
    with pytest.raises(Conflict, match=r"predict\.py"):
        PythonExporter().export(fitted, str(out))
    assert other.read_text() == "not to be written to"
    (out / "predict.py").unlink()
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / "predict.cpython-311.pyc").write_bytes(b"")
    PythonExporter().export(fitted, str(out))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..", "", "a\\b", "a\nb", "-rf", "C:evil"])
def test_no_file_is_written_outside_of_the_folder(name: str, tmp_path: Path) -> None:
    """Files are named by preparations, which plug-ins may bring."""
    from luban.export import folder as folders

    with pytest.raises(Unsupported, match="no plain path"):
        folders.write(tmp_path / "out", {"model.onnx": b"", name: b"evil"})
    assert not list(tmp_path.iterdir())


def test_dates_and_times_of_python_are_taken(model: Any, runtime: Runtime) -> None:
    for since in (
        date(2020, 5, 17),
        datetime(2020, 5, 17, 1, 2, 3, 4),
        np.datetime64("2020-05-17"),
        pa.scalar(None).as_py(),
    ):
        row = ROW | {"since": since}
        assert model.predict([row]) == [runtime.predict_row(row)]


LISTED = {
    "multilabel": (3,),
    "tokens": (4, 3),
    "matching": (3,),
}


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(list(LISTED)),
    seed=st.integers(0, 2**20),
    threshold=st.one_of(st.none(), st.floats(0, 1)),
    words=st.integers(0, 4),
)
def test_lists_of_labels_are_told_as_the_runtime_tells_them(
    model: Any, kind: Any, seed: int, threshold: float | None, words: int
) -> None:
    """Labels of any number, a label a word (and words that were not read), answers that may be refused."""
    from luban.core.task import Task
    from luban.serving.answers import answer_row

    task = Task(kind=kind, target="t", inputs=("note",), metric="accuracy", classes=("a", "b", "c"))
    values = np.random.default_rng(seed).random(LISTED[kind])
    if kind == "tokens":
        values[words:] = np.nan
        values[seed % 4] = np.nan
    described = {"kind": kind, "classes": list(task.classes), "quantiles": []}
    other = copy.copy(model)
    other.task, other.signature = described, {"threshold": threshold}
    assert other.told(values) == answer_row(task, values, threshold)
