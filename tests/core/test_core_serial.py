"""Values survive the way through JSON, and wrong ones are told by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luban.core.describe import json_schema
from luban.core.errors import InputError
from luban.core.model import ModelVersion, Signature
from luban.core.report import Evidence, Finding, Report, worst
from luban.core.run import Run
from luban.core.schema import Column, Schema
from luban.core.serial import from_json, to_json
from luban.core.task import Task

names = st.text(min_size=1, max_size=12)
columns = st.builds(
    Column,
    name=names,
    kind=st.sampled_from(["number", "category", "boolean", "date", "text"]),
    role=st.sampled_from(["input", "target", "ignored"]),
    nullable=st.booleans(),
    storage=names,
)
labels = st.one_of(names, st.integers(-9, 9), st.booleans())
tasks = st.builds(
    Task,
    kind=st.sampled_from(["binary", "multiclass"]),
    target=names,
    inputs=st.lists(names, max_size=4).map(tuple),
    metric=st.just("roc_auc"),
    classes=st.lists(labels, min_size=2, max_size=4).map(tuple),
    constraints=st.dictionaries(names, st.integers(), max_size=2),
)


def through_json(value: object) -> object:
    return json.loads(json.dumps(to_json(value)))


@given(st.lists(columns, max_size=5).map(tuple))
def test_schema_survives_json(some: tuple[Column, ...]) -> None:
    schema = Schema(columns=some)
    assert from_json(Schema, through_json(schema)) == schema


@given(tasks)
def test_task_survives_json_with_the_types_of_its_labels(task: Task) -> None:
    back = from_json(Task, through_json(task))
    assert back == task
    assert [type(label) for label in back.classes] == [type(label) for label in task.classes]


@given(tasks, st.lists(columns, min_size=1, max_size=3).map(tuple))
def test_model_version_survives_json(task: Task, some: tuple[Column, ...]) -> None:
    version = ModelVersion(
        name="m",
        version=3,
        artifact="sha256:0",
        signature=Signature(inputs=some, outputs=()),
        task=task,
        created=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert from_json(ModelVersion, through_json(version)) == version


def test_report_survives_json() -> None:
    evidence = Evidence(title="t", columns=("a", "b"), rows=((1, "x"), (2, None)), drawing="bar")
    finding = Finding(what="w", verdict="warn", value=0.5, threshold="limit", evidence=(evidence,))
    report = Report(check="c", subject="s", verdict=worst((finding,)), findings=(finding,), figures={"roc_auc": 0.9})
    assert from_json(Report, through_json(report)) == report
    assert report.verdict == "warn"


def test_not_a_number_becomes_null_so_that_the_text_is_json() -> None:
    assert through_json({"a": float("nan"), "b": [float("inf")]}) == {"a": None, "b": [None]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"kind": "binary", "target": 3, "inputs": [], "metric": "f1"}, "Task.target must be str"),
        ({"kind": "binery", "target": "t", "inputs": [], "metric": "f1"}, "Task.kind must be one of"),
        ({"kind": "binary", "target": "t", "inputs": "ab", "metric": "f1"}, "Task.inputs must be a list"),
        ({"kind": "binary", "target": "t"}, "Task is incomplete"),
        ({"kind": "binary", "target": "t", "colour": 1}, "Task has no field 'colour'"),
        (7, "Task must be an object"),
    ],
)
def test_wrong_values_name_the_field(value: object, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("'", ".")):
        from_json(Task, value)


def test_schema_of_a_type_names_what_its_json_holds() -> None:
    schema = json_schema(Run)
    started = Run(id="1", operation="fit", request={}, state="running", started=datetime.now(UTC))
    assert set(schema["properties"]) == set(to_json(started))
    assert schema["properties"]["state"]["enum"] == ["running", "finished", "failed", "interrupted", "killed"]
    assert schema["required"] == ["id", "operation", "request", "state", "started"]


def test_dates_and_lists_of_the_wrong_form_are_refused_too() -> None:
    run = {"id": "1", "operation": "fit", "request": {}, "state": "running", "started": "yesterday"}
    with pytest.raises(InputError, match=r"Run\.started must be a date"):
        from_json(Run, run)
