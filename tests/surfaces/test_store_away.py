"""PostgreSQL goes away and comes back under what tracks, labels and watches: nothing that was acknowledged is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import luban
import servers
from luban.core.budget import Effort
from luban.core.errors import Unavailable
from luban.core.progress import Progress, listening, stopping
from luban.core.protocols import Examples
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.operations.feedback import feedback
from luban.operations.monitor import Monitored, monitor
from luban.search.learners import learner_named
from luban.store import Workspace
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long

SCHEMA = Schema(columns=(Column(name="age", kind="number"),))
TASK = Task(kind="binary", target="income", inputs=("age",), metric="accuracy", classes=("low", "high"))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Stoppable]:
    try:
        with servers.stoppable_postgresql() as started:
            yield started
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.fixture
def workspace(server: servers.Stoppable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("LUBAN_STORE", server.url)
    monkeypatch.delenv("LUBAN_BLOBS", raising=False)
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        yield opened


def deployed(workspace: Workspace, name: str, rows: int) -> None:
    """Deploy a model, and log rows as a server would."""
    table = pa.table({"age": [20.0, 40.0]})
    model = learner_named("constant").fit(
        TASK, SCHEMA, Examples(table=table, target=np.array([0, 1])), None, parameters={}, effort=Effort()
    )
    whole = fitted(Composite(members=(model,), weights=(1.0,), task=TASK), SCHEMA)
    made = workspace.models.register(
        name=name, artifact=artifact.write(workspace.blobs, whole), signature=whole.signature, task=TASK
    )
    workspace.deployments.set(name, {made.reference: 1.0})
    kinds = pa.schema([*COLUMNS, ("input.age", pa.float64()), ("output.prediction", pa.string())])
    logged = [
        dict.fromkeys(COLUMNS.names)
        | {"request_id": f"r{number}", "row": 0, "moment": NOON + timedelta(seconds=number), "deployment": name}
        | {"model": made.reference, "arm": "champion", "latency_ms": 1.0}
        | {"input.age": float(number % 40), "output.prediction": "low" if number % 3 else "high"}
        for number in range(rows)
    ]
    workspace.predictions.append(pa.Table.from_pylist(logged, schema=kinds))


def test_what_is_tracked_waits_in_memory(workspace: Workspace, server: servers.Stoppable) -> None:
    """No call fails or waits meanwhile; who asks whether it is stored is told that it is not; then all is."""
    with luban.track("kept", workspace=workspace) as run:
        run.log({"loss": 0.0}, step=0)
        run.flush()
        server.stop()
        for step in range(1, 300):
            run.log({"loss": float(step)}, step=step)
        run.params({"told": "late"})
        with pytest.raises(Unavailable):
            run.flush()
        server.start()
        run.log({"loss": 300.0}, step=300)
        with luban.track("part") as part:
            part.log({"loss": 1.0})
    history = workspace.runs.history(run.id, "loss")
    assert [(one[0], one[1]) for one in history] == [(step, float(step)) for step in range(301)]
    found = workspace.runs.get(run.id)
    assert (found.state, found.request["told"]) == ("finished", "late")
    assert workspace.runs.get(part.id).state == "finished"


def test_labels_are_stored_or_refused(workspace: Workspace, server: servers.Stoppable) -> None:
    """What was acknowledged stays; what was refused is sent again, and is there once."""
    deployed(workspace, "labelled", 3)

    def send(name: str) -> int:
        return feedback(workspace, "labelled", pa.table({"request_id": [name], "label": ["high"]})).matched

    assert send("r0") == 1
    server.stop()
    with pytest.raises(Unavailable):
        send("r1")
    server.start()
    assert send("r1") == 1
    assert workspace.labels.joined("labelled")["request_id"].to_pylist() == ["r0", "r1"]


def test_a_watch_goes_on(workspace: Workspace, server: servers.Stoppable) -> None:
    """The loop of luban monitor --watch tells that the database is away, and looks again when it is back."""
    deployed(workspace, "watched", 200)
    told: list[str] = []

    def listen(news: Progress) -> None:
        if news.stage != "monitor":
            return
        looked = isinstance(news.result, Monitored)
        told.append("looked" if looked else news.message)
        if len(told) == 1:
            server.stop()
        elif not looked and told.count("looked") == 1:
            server.start()

    with listening(listen), stopping(lambda: told.count("looked") > 1):
        found = monitor(workspace, "watched", last=60, against="previous", watch=1.0)
    assert found.rows == 60
    assert told[0] == told[-1] == "looked"
    assert "database" in told[1]
    assert len(workspace.reports.list(subject="watched")) == 2
