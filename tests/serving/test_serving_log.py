"""What is logged and counted of answers that are not one value of a table: pictures alone, lists, none at all."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from served_deployments import load, register

import media_models as media
import small_models as small
from luban.core.model import Deployment, Signature
from luban.execution.attempts import Attempts
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted
from luban.serving import labelled
from luban.serving.arms import Arm
from luban.serving.deployed import Deployed
from luban.serving.log import writer
from luban.serving.log.table import log_table
from luban.serving.log.writer import LogWriter
from luban.serving.observation import Observation
from luban.serving.runtime import Runtime
from luban.store import Workspace
from luban.store.digests import digest_of
from luban.store.predictions import COLUMNS
from waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.task import Task

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Grey:
    """Answers the same for every picture."""

    task: Task
    learner: str = "grey"
    learned: Any = None

    def predict(self, rows: pa.Table) -> np.ndarray:
        return np.full((rows.num_rows, 2), 0.5)

    def save(self) -> dict[str, bytes]:
        return {}


def seen(runtime: Runtime, name: str, *rows: dict[str, Any]) -> list[Observation]:
    """Return requests of one row each, and one of all rows, that were answered."""
    arm = Arm(runtime=runtime, model=f"{name}/1", deployment=Deployment(name=name, traffic={f"{name}/1": 1.0}))
    single = [(row, runtime.predict_row(row)) for row in rows]
    answers: list[tuple[Any, Any]] = [*single, (list(rows), runtime.answer(list(rows)))]
    return [
        Observation(arm, f"{name} {place}", place, asked, answer, 0.001, None, None, None, None, 0.001)
        for place, (asked, answer) in enumerate(answers)
    ]


def of_pictures() -> Runtime:
    task = replace(media.TASK, inputs=("photo",))
    outputs = media.fitted().signature.outputs
    model = Composite(members=(Grey(task=task),), weights=(1.0,), task=task)
    fitted = Fitted(task=task, signature=Signature(inputs=media.COLUMNS[:1], outputs=outputs), model=model)
    return Runtime.from_fitted(fitted, name="photos", version=1)


def test_a_model_that_takes_nothing_but_pictures_is_logged() -> None:
    """By their digests, a row for each, whether they were asked one by one or together."""
    contents = [media.picture(250), media.picture(3)]
    rows = [{"photo": media.plain(one)} for one in contents]
    table = log_table(seen(of_pictures(), "photos", *rows))
    assert table["input.photo"].to_pylist() == [digest_of(one) for one in contents] * 2
    assert table["request_id"].to_pylist() == ["photos 0", "photos 1", "photos 2", "photos 2"]


def test_a_picture_counts_for_what_may_wait_however_it_was_sent() -> None:
    """Its text alone, or in a mapping: else a client could have any number of bytes kept in memory."""
    plain = media.plain(media.picture(250))
    for row in ({"photo": plain}, {"photo": {"bytes": plain}}, {"photo": {"bytes": {"path": plain}}}):
        assert all(one.size() > len(plain) for one in seen(of_pictures(), "photos", row))


def test_a_defect_in_the_rows_of_one_model_does_not_end_the_log_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted as dropped and told; what others answered, and what comes later, is stored."""
    runtime = Runtime.from_fitted(small.fitted(small.BINARY), name="good", version=1)
    row = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}

    def made(part: Any, *more: Any) -> pa.Table:
        if part[0].arm.deployment.name == "bad":
            raise ZeroDivisionError
        return log_table(part, *more)

    monkeypatch.setattr(writer, "log_table", made)
    stored: list[Any] = []
    told: list[tuple[str, Any]] = []
    log = LogWriter(
        lambda *given: stored.append(given), tell=lambda event, **details: told.append((event, details["error"]))
    )
    log.put([*seen(runtime, "bad", row), *seen(runtime, "good", row)])
    log.close()
    assert log.counts() == {("bad", "dropped"): 2, ("good", "stored"): 2}
    assert told == [("log-rows-unreadable", "ZeroDivisionError")]
    assert log.waiting == 0


@pytest.mark.parametrize("first", [True, 60.0])
def test_a_row_that_cannot_be_read_again_costs_no_other_its_place_in_the_log(first: Any) -> None:
    """Requests of one row are read together: of ten one cannot be, and nine are stored, in their order."""
    runtime = Runtime.from_fitted(small.fitted(small.BINARY), name="good", version=1)
    row = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
    arm = seen(runtime, "good", row)[0].arm
    ages = [first, *map(float, range(1, 10))]
    ages[4] = "no number"  # it was answered, say by an older version
    asked = [{**row, "age": age} for age in ages]
    found = [
        Observation(arm, str(place), place, one, runtime.predict_row(row), 0.001, None, None, None, None, 0.001)
        for place, one in enumerate(asked)
    ]
    stored: list[pa.Table] = []
    told: list[dict[str, Any]] = []
    log = LogWriter(lambda table, _contents: stored.append(table), tell=lambda _event, **details: told.append(details))
    log.put(found)
    log.close()
    whole = pa.concat_tables(stored)
    assert whole["request_id"].to_pylist() == [str(place) for place in range(10) if place != 4]
    assert whole["input.age"].to_pylist() == [float(age) for age in ages if age != "no number"]
    assert log.counts() == {("good", "dropped"): 1, ("good", "stored"): 9}
    assert [(one["name"], one["rows"]) for one in told] == [("good", 1)]
    assert "'no number'" in told[0]["error"]
    assert log.waiting == 0


LISTS = [
    # kind, what was said of three rows, what was true, how many of these were wrong
    ("multilabel", [["a", "b"], ["a"], []], [["b", "a"], ["b"], []], 1),
    ("tokens", [["a", "b"], ["a"], ["b"]], [["b", "a"], ["a"], ["b"]], 1),
    ("matching", ["a", None, "b"], ["a", "a", "b"], 1),
]


@pytest.mark.parametrize(("kind", "said", "true", "missed"), LISTS)
def test_labels_of_every_kind_of_answer_are_counted(
    tmp_path: Path, kind: Any, said: list[Any], true: list[Any], missed: int
) -> None:
    """Lists of labels, and answers that are none: canaries are judged by these too, and nothing ends the counting."""
    fitted = small.fitted(small.BINARY)
    task = replace(fitted.task, kind=kind, metric="f1_micro", classes=("a", "b"))
    with Workspace.open(tmp_path / ".luban") as workspace:
        workspace.models.register(
            name="m", artifact=workspace.blobs.put(b"nothing"), signature=fitted.signature, task=task
        )
        deployment = workspace.deployments.set("shop", {"m/1": 1.0})
        began = datetime.now(UTC)
        rows = [
            {"request_id": str(place), "row": 0, "moment": began + place * MINUTE, "deployment": "shop"}
            | {"model": "m/1", "arm": "champion", "latency_ms": 1.0, "output.prediction": one}
            for place, one in enumerate(said)
        ]
        answer = pa.array(said).type
        schema = pa.schema([*COLUMNS, ("output.prediction", answer)])
        workspace.predictions.append(pa.Table.from_pylist(rows, schema=schema))
        workspace.labels.add("shop", [str(place) for place in range(3)], None, pa.array(true, answer))
        tally = labelled.wrong(task, "m/1", labelled.read(workspace, deployment, task, began - MINUTE))["m/1"]
    assert (tally.requests, tally.events) == (3, missed)


def test_a_defect_in_the_counting_of_labels_keeps_no_version_from_being_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, and what the store says next is served all the same."""
    told: list[tuple[str, dict[str, Any]]] = []

    def counted(*_given: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(labelled, "wrong", counted)
    with Workspace.open(tmp_path / ".luban") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {"small/1": 0.9, "small/2": 0.1})
        workspace.labels.add("shop", ["a"], None, ["low"])
        with Deployed(workspace, ["shop"], load) as served:
            served.models.tell = lambda event, **details: told.append((event, details))
            until(lambda: [details for event, details in told if event == "defect"])
            workspace.deployments.set("shop", {"small/2": 1.0})
            until(lambda: served.models.versions("shop") == ("2",))
    assert [details for event, details in told if event == "defect"] == [{"error": "ZeroDivisionError: a defect"}]


def test_a_defect_in_what_one_deployment_was_asked_costs_no_other_what_was_seen_of_it() -> None:
    """What was observed within one look is handed on by deployment; a defect is told once."""
    heeded: list[str] = []

    def heed(name: str, seen: list[Any]) -> None:
        heeded.append(f"{name}: {len(seen)}")
        if name == "first":
            raise ZeroDivisionError("a defect")

    told: list[str] = []
    attempt = Attempts(lambda event, **details: told.append(f"{event}: {details['subject']}"))
    server = SimpleNamespace(_heed=heed, _attempt=attempt)
    arms = [SimpleNamespace(deployment=SimpleNamespace(name=name)) for name in ("first", "second", "first")]
    server._seen = deque(SimpleNamespace(arm=arm) for arm in arms)
    Deployed._drain(server)
    assert heeded == ["first: 2", "second: 1"]
    assert told == ["defect: first"]
