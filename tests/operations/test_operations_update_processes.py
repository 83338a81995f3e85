"""The loop in real processes: killed at any moment, and unattended beside two servers on a stream of real data."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import turning_rows as turning
from sqlalchemy import update as change

from luban.operations.deploy import deploy
from luban.operations.fit import fit
from luban.operations.loading import fitted
from luban.operations.updates.list_ import updates_list
from luban.operations.updates.set import updates_set
from luban.store import Workspace
from luban.store.clock import now
from luban.store.tables import leases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

pytestmark = pytest.mark.long
PATIENCE = 600.0
"""Seconds after which something that should come is said not to come."""


def _start(workspace: Workspace) -> subprocess.Popen[str]:
    request = json.dumps({"root": str(workspace.root), "actor": "ada", "name": "weather"})
    command = [sys.executable, "-m", "luban.operations.updating.process", request]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _time_passes(workspace: Workspace) -> None:
    """Let every lease run out, as it does half a minute after its holder was killed."""
    with workspace._database.writing() as connection:
        connection.execute(change(leases).values(expires=now()))


def _whole(workspace: Workspace) -> str:
    """Return the champion, the same under all its names."""
    named, deployed = workspace.models.get("weather").reference, workspace.deployments.get("weather").champion
    assert named == deployed
    assert workspace.audit.verify() > 0
    return named


@pytest.mark.timeout(1800)
def test_an_updater_that_is_killed_at_random_moments_leaves_nothing_half_done(tmp_path: Path) -> None:
    """SIGKILL at random moments: alias and deployment name one version, the audit chain is whole, and the next round
    marks what was left and goes on to a promotion."""
    chance = random.Random(5)
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        turning.champion(workspace)
        deploy(workspace, "weather", "weather")
        turning.logged(workspace, turning.rows(600, turned=True, seed=2))
        updates_set(workspace, "weather", on="labels", labels=100, rounds=1, way="retrain", gate=("latency=off",))
        for _ in range(3):
            process = _start(workspace)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.2, 6.0))
            process.kill()
            process.communicate()
            _whole(workspace)
            _time_passes(workspace)
        process = _start(workspace)
        said = json.loads(process.communicate(timeout=PATIENCE)[0].splitlines()[-1])
        assert said["outcome"] in ("promoted", "waiting", "refused"), said
        assert _whole(workspace) != "weather/1"
        states = [line.outcome for line in updates_list(workspace).updates]
        # One that ended before it was killed may have been made once more, and be no better than what took over.
        assert set(states) <= {"promoted", "interrupted", "refused"}
        assert not workspace.runs.list(state="running")


STALLED = """
import importlib, sys, time
from pathlib import Path
mark, module, name, when = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
owner = importlib.import_module(module)
*path, last = name.split(".")
for one in path:
    owner = getattr(owner, one)
real = getattr(owner, last)
def stalled(*given, **options):
    found = real(*given, **options) if when == "after" else None
    Path(mark).touch()
    while True:
        time.sleep(60)
setattr(owner, last, stalled)
from luban.operations.updating.process import main
main()
"""
"""An updater that stops for good at a place in its course, and leaves a mark there: argv are the mark, the place, then
what an updater is given."""

PLACES = {
    "when it has begun": ("luban.operations.updating.challenger", "make", "before", "weather/1"),
    "while it learns": ("luban.search.study", "run_study", "before", "weather/1"),
    "before the registration": ("luban.operations.registering", "register", "before", "weather/1"),
    "between registration and gates": ("luban.operations.registering", "register", "after", "weather/1"),
    "in the midst of the gates": ("luban.review.gates.latency", "LatencyGate.judge", "before", "weather/1"),
    "between gates and promotion": ("luban.store.promotions", "Promotions.promote", "before", "weather/1"),
    "when all has moved and nothing is committed": (
        "luban.store.promotions",
        "Promotions._moved",
        "after",
        "weather/1",
    ),
    "between promotion and record": ("luban.operations.updating.round", "_record", "before", "weather/6"),
}
"""Where it stops, and the champion after that."""


@pytest.mark.timeout(1800)
def test_an_updater_that_is_killed_at_a_chosen_place_leaves_nothing_half_done(tmp_path: Path) -> None:
    """SIGKILL at every step of an update: alias and deployment name one version, each version that was registered can
    be read and answers, the chain of the audit log is whole; the next one marks what was left and goes to its end."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        turning.champion(workspace)
        deploy(workspace, "weather", "weather")
        turning.logged(workspace, turning.rows(600, turned=True, seed=2))
        updates_set(workspace, "weather", on="labels", labels=100, rounds=1, way="retrain", gate=("latency=1000",))
        request = json.dumps({"root": str(workspace.root), "actor": "ada", "name": "weather"})
        for place, (module, name, when, champion) in PLACES.items():
            mark = tmp_path / place
            with subprocess.Popen([sys.executable, "-c", STALLED, str(mark), module, name, when, request]) as process:
                until = time.monotonic() + PATIENCE
                while not mark.exists():
                    assert process.poll() is None, f"it ended before it came {place}"
                    assert time.monotonic() < until, place
                    time.sleep(0.02)
                process.kill()
            assert _whole(workspace) == champion, place
            for version in workspace.models.versions("weather"):
                answers = fitted(workspace, version.reference).predict({"x": [1.0], "y": [0.0]})
                assert answers.prediction.to_pylist()[0] in ("yes", "no")
            assert len(workspace.runs.list(operation="update", state="running")) == 1, place
            _time_passes(workspace)
        turning.logged(workspace, turning.rows(300, turned=True, seed=3), start=1000)
        process = _start(workspace)
        said = json.loads(process.communicate(timeout=PATIENCE)[0].splitlines()[-1])
        assert said["outcome"] in ("promoted", "refused"), said
        _whole(workspace)
        assert not workspace.runs.list(state="running")
        states = [line.outcome for line in updates_list(workspace).updates]
        assert states.count("interrupted") == len(PLACES)


@pytest.mark.timeout(1800)
def test_two_updaters_at_once_make_one_challenger(tmp_path: Path) -> None:
    """Two processes begin at the same moment: one updates, the other finds the lease held, or nothing new."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        turning.champion(workspace)
        deploy(workspace, "weather", "weather")
        turning.logged(workspace, turning.rows(600, turned=True, seed=2))
        updates_set(workspace, "weather", on="labels", labels=300, rounds=1, way="retrain", gate=("latency=off",))
        both = [_start(workspace) for _ in range(2)]
        said = [json.loads(one.communicate(timeout=PATIENCE)[0].splitlines()[-1]) for one in both]
        outcomes = sorted(one["outcome"] for one in said)
        assert outcomes[0] in ("busy", "promoted")
        assert "promoted" in outcomes
        assert outcomes[1] in ("promoted", "waiting")
        assert [one.version for one in workspace.models.versions("weather")] == [1, 2]


@contextlib.contextmanager
def _server(workspace: Path, sign: Callable[[str], str | None], *arguments: str) -> Iterator[str]:
    """Run a command that serves, and give the URL that it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "luban", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LUBAN_WORKSPACE": str(workspace)},
    )
    try:
        assert process.stderr is not None
        url = next(found for line in process.stderr if (found := sign(line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield url
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _started(line: str) -> str | None:
    said = json.loads(line) if line.startswith("{") else {}
    return str(said["url"]) if said.get("event") == "start" else None


def _answers_on(line: str) -> str | None:
    return line.split("answers on ")[1].split("/ ", maxsplit=1)[0] if "answers on " in line else None


def _post(url: str, body: dict[str, Any], request_id: str = "") -> dict[str, Any]:
    headers = {"content-type": "application/json"} | ({"x-request-id": request_id} if request_id else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.mark.timeout(3600)
def test_unattended_the_loop_is_better_than_the_model_that_is_never_updated(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    """Electricity prices in their own order through `luban serve`, labels a day later through `luban server`, and
    nobody does anything else: over the stream the loop is right more often than the first model alone."""
    pandas = pytest.importorskip("pandas")
    whole: pd.DataFrame = pandas.read_parquet(shared_data("elec2_stream") / "data.parquet")[:5500]
    first, stream = whole[:1000], whole[1000:]
    folder = tmp_path / ".luban"
    with Workspace.open(folder) as workspace:
        fit(workspace, first, target="class", metric="accuracy", name="price", learners=("linear",), rounds=1)
        deploy(workspace, "price", "price")
        updates_set(workspace, "price", on="drift", rounds=1, way="retrain", window="all", gate=("latency=off",))
        right: list[bool] = []
        answered: list[str] = []
        waiting: list[dict[str, Any]] = []
        with (
            _server(folder, _started, "serve", "price", "--port", "0") as serve,
            _server(folder, _answers_on, "server", "--port", "0") as server,
        ):
            for start in range(0, len(stream), 48):
                part = stream[start : start + 48]
                rows, labels = part.drop(columns="class").to_dict("records"), part["class"].tolist()
                answer = _post(f"{serve}/models/price/predict", {"rows": rows}, request_id=f"day {start}")
                said = [one["prediction"] for one in answer["predictions"]]
                right += [one == label for one, label in zip(said, labels, strict=True)]
                answered.append(answer["model"])
                if waiting:
                    _post(f"{server}/api/feedback", {"name": "price", "data": waiting})
                waiting = [
                    {"request_id": f"day {start}", "row": row, "label": label} for row, label in enumerate(labels)
                ]
                if start and start % (48 * 31) == 0:  # the world waits for the loop, on however slow a machine
                    _wait_for_an_update(workspace, serve, after=start // (48 * 31) - 1)
        never = fitted(workspace, "price/1").predict(stream.drop(columns="class")).prediction.to_pylist()
        still = np.array(never) == stream["class"].to_numpy()
        lines = updates_list(workspace, "price").updates
        assert any(line.outcome == "promoted" for line in lines), lines
        assert len({*answered}) > 1
        assert np.mean(right) > still.mean() + 0.02, (np.mean(right), still.mean(), lines)
        assert not workspace.runs.list(operation="update", state="running")
        assert workspace.predictions.count("price") == len(stream)
        assert workspace.audit.verify() > 0


def _wait_for_an_update(workspace: Workspace, serve: str, after: int) -> None:
    """Wait until so many updates and one more have come to their end, and the server answers by what they left."""
    until = time.monotonic() + PATIENCE
    while len(workspace.runs.list(operation="update", state="finished")) <= after:
        assert time.monotonic() < until, updates_list(workspace, "price").updates
        time.sleep(0.2)
    while _answering(serve) != [workspace.deployments.get("price").champion]:
        assert time.monotonic() < until, _answering(serve)
        time.sleep(0.2)


def _answering(serve: str) -> list[str]:
    """Return the versions that answer."""
    with urllib.request.urlopen(f"{serve}/v2/models/price", timeout=PATIENCE) as answer:
        return [f"price/{version}" for version in json.load(answer)["versions"]]
