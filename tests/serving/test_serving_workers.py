"""Several processes on one port: kills, metrics as one, a graceful stop, loading by name; with a real workspace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sklearn.datasets import load_wine

import luban
from luban.core.errors import Conflict, InputError
from luban.operations.loading import deployed
from luban.serving.server import running
from luban.serving.workers.merged import merged
from luban.store import Workspace
from waiting import children, until

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = {"instances": [list(load_wine().data[0][:3])]}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with the models first (two versions) and second."""
    folder = tmp_path_factory.mktemp("workers")
    wine = load_wine(as_frame=True)
    frame = wine.frame[[*wine.feature_names[:3], "target"]]
    with Workspace.open(folder / ".luban") as workspace:
        luban.fit(frame, target="target", rounds=2, learners=("linear",), name="first", workspace=workspace)
        fitted = workspace.models.get("first/1")
        for name in ("first", "second"):
            workspace.models.register(
                name=name, artifact=fitted.artifact, signature=fitted.signature, task=fitted.task, run=fitted.run
            )
    return folder / ".luban"


@contextmanager
def serving(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start ``luban serve`` and give its process and URL."""
    with (root.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "luban", "serve", *options, "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "LUBAN_WORKSPACE": str(root)},
        )
        try:
            until(lambda: b'"event": "start"' in (root.parent / "log").read_bytes() or process.poll() is not None)
            line = next(one for one in (root.parent / "log").read_text().splitlines() if '"start"' in one)
            url = json.loads(line)["url"]
            until(lambda: _up(url))
            yield process, url
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", timeout=180).status_code == 200
    except httpx.TransportError:
        return False


def _total(url: str) -> float:
    for line in httpx.get(f"{url}/metrics", timeout=120).text.splitlines():
        if line.startswith("luban_requests_total") and "predict" in line and 'code="200"' in line:
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def _written(workers: list[int]) -> float:
    """Return how many predictions the workers have written down, where their successors find it."""
    said = Path(f"/proc/{workers[0]}/environ").read_bytes().split(b"LUBAN_WORKER=", 1)[1].split(b"\0", 1)[0]
    parts = [json.loads(one.read_text()) for one in Path(json.loads(said)["folder"]).glob("metrics-*.json")]
    samples = [sample for part in parts for family in part for sample in family["samples"]]
    return sum(
        value
        for name, labels, value in samples
        if name == "luban_requests_total" and "predict" in labels["route"] and labels["code"] == "200"
    )


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_share_a_port_and_are_replaced(root: Path) -> None:
    """Requests on new connections are answered while workers are killed; no count falls; SIGTERM ends all of them."""
    with serving(root, "first", "--workers", "2") as (process, url):
        until(lambda: len(children(process.pid)) == 2)
        before = children(process.pid)
        for _ in range(40):
            assert httpx.post(f"{url}/v1/models/first:predict", json=ASK, timeout=180).status_code == 200
        until(lambda: _written(before) == 40)
        assert _total(url) == 40
        os.kill(before[0], signal.SIGKILL)
        for _ in range(20):  # a connection to the one that died waits for its successor
            assert httpx.post(f"{url}/v1/models/first:predict", json=ASK, timeout=180).status_code == 200
        until(lambda: len(children(process.pid)) == 2 and before[0] not in children(process.pid))
        until(lambda: _total(url) == 60)
        assert httpx.post(f"{url}/v2/repository/models/second/load", timeout=180).status_code == 200
        until(lambda: all(httpx.get(f"{url}/v2/models/second", timeout=180).status_code == 200 for _ in range(8)))
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=180)
        assert process.returncode == 0, (root.parent / "log").read_text()[-2000:]
        assert json.loads(out)["models"] == ["first/1", "second/1"]
        for child in before:
            assert not Path(f"/proc/{child}").exists()
    told = [json.loads(line) for line in (root.parent / "log").read_text().splitlines()]
    (died,) = [one for one in told if one["event"] == "worker-died"]
    assert (died["exit"], died["worker"] in {0, 1}) == (-signal.SIGKILL, True)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_parent_that_is_killed(root: Path) -> None:
    with serving(root, "first", "--workers", "2") as (process, _):
        workers = children(process.pid)
        process.kill()
        process.wait()
        until(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in workers))


def test_a_worker_that_cannot_start_says_why(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "luban", "serve", "nothing", "--workers", "2", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "LUBAN_WORKSPACE": str(root)},
    )
    assert done.returncode != 0
    assert "nothing" in done.stderr


def test_models_are_loaded_unloaded_and_promoted_by_the_protocols(root: Path) -> None:
    """Triton's and TorchServe's calls, over one workspace."""
    with (
        Workspace.open(root) as workspace,
        deployed(workspace, ["first"]) as served,
        running(served.models) as url,
        httpx.Client(base_url=url, timeout=180) as client,
    ):
        index = client.post("/v2/repository/index").json()
        assert [(one["name"], one["state"]) for one in index] == [("first", "READY"), ("second", "UNAVAILABLE")]
        assert client.post("/v2/repository/index", json={"ready": True}).json() == index[:1]
        assert client.post("/v2/repository/models/second/load", json={"parameters": {}}).status_code == 200
        assert client.post("/v1/models/second:predict", json=ASK).status_code == 200
        assert client.post("/v2/repository/models/third/load").status_code == 404
        assert (
            client.post("/v2/repository/models/second/load", json={"parameters": {"config": "{}"}}).status_code == 400
        )
        assert client.post("/v2/repository/models/second/unload").status_code == 200
        assert client.post("/v1/models/second:predict", json=ASK).status_code == 404
        assert client.post("/models?url=second").status_code == 200
        assert client.delete("/models/second/1").status_code == 200
        assert client.get("/models").json()["models"] == [{"modelName": "first", "modelUrl": "first"}]
        assert client.get("/v1/models/first").json()["model_version_status"][0]["version"] == "1"
        assert client.put("/models/first/2/set-default").status_code == 200
        assert client.get("/v1/models/first").json()["model_version_status"][0]["version"] == "2"
        assert client.put("/models/first/7/set-default").status_code == 404
        told = client.post("/explanations/first", json={"instances": ASK["instances"]})
        assert told.status_code in (200, 422)
        assert client.delete("/models/first").status_code == 200
        assert client.post("/v1/models/first:predict", json=ASK).status_code == 404
        workspace.deployments.set("shop", {"first/1": 1.0}, reason="test")
        assert client.post("/v2/repository/models/shop/load").status_code == 200
        with pytest.raises(Conflict):
            served.promote("shop", "1")
        with pytest.raises(InputError):
            served.load("../../etc/passwd")


@pytest.mark.long
def test_one_of_several_versions_is_unregistered(root: Path) -> None:
    """By the protocol of TorchServe: the other answers on, until loading its name brings both back."""
    with Workspace.open(root) as workspace:
        workspace.deployments.set("shared", {"first/1": 0.5, "first/2": 0.5}, reason="test")
        with (
            deployed(workspace, ["first/1", "first/2", "shared"]) as served,
            running(served.models) as url,
            httpx.Client(base_url=url, timeout=180) as client,
        ):
            assert client.delete("/models/first/2").status_code == 403
            assert client.delete("/models/shared/2").status_code == 409
            answer = client.delete("/models/first/1")
            assert (answer.status_code, answer.json()) == (200, {"status": 'Model "first" unregistered'})
            assert client.delete("/models/first/1").status_code == 404
            assert [one["modelVersion"] for one in client.get("/models/first/all").json()] == ["2"]
            assert client.post("/v1/models/first:predict", json=ASK).status_code == 200
            assert client.post("/models?url=first").status_code == 200
            assert sorted(one["modelVersion"] for one in client.get("/models/first/all").json()) == ["1", "2"]
            assert client.delete("/models/first/1").status_code == 200
            assert client.delete("/models/first/2").status_code == 200  # the last one
            assert client.get("/models").json()["models"] == [{"modelName": "shared", "modelUrl": "shared"}]
        workspace.deployments.remove("shared", log="erase")


def test_metrics_of_workers_add_up() -> None:
    """Counts of the dead stay; gauges are of those that live."""

    def part(count: float, flight: float, created: float) -> list[dict[str, Any]]:
        samples = [["luban_requests_total", {"model": "a"}, count], ["luban_requests_created", {"model": "a"}, created]]
        return [
            {"name": "luban_requests", "words": "", "type": "counter", "samples": samples},
            {
                "name": "luban_requests_in_flight",
                "words": "",
                "type": "gauge",
                "samples": [["luban_requests_in_flight", {}, flight]],
            },
            {"name": "luban_arm_share", "words": "", "type": "gauge", "samples": [["luban_arm_share", {}, 1.0]]},
        ]

    found = merged([(True, part(3, 1, 9)), (False, part(5, 7, 8)), (True, part(1, 2, 7))])
    values = {name: value for one in found for name, _, value in one["samples"]}
    assert values == {
        "luban_requests_total": 9,
        "luban_requests_created": 7,
        "luban_requests_in_flight": 3,
        "luban_arm_share": 1.0,
    }
