"""`luban server` is one process for all: operations, tracking, and the wires of what is deployed, on one port."""

from __future__ import annotations

import io
import json
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rest_server import answering

from luban.serving.access.gate import gate_of
from luban.serving.access_log import AccessLog
from luban.store import Workspace
from luban.surfaces.rest import application
from luban.surfaces.rest.deployed import DeployedModels, Together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [{"a": i % 7, "y": "yes" if i % 7 > 3 else "no"} for i in range(60)]
LONG = 120.0  # seconds that nothing here takes unless it is broken


@contextmanager
def served(workspace: Workspace, events: io.StringIO) -> Iterator[httpx.Client]:
    gate, log = gate_of(workspace.tokens, loopback=True), AccessLog(events)
    with DeployedModels(workspace, gate, log) as deployed:
        app = Together(application(workspace, gate=gate, more=deployed.page), deployed)
        with answering(app) as url, httpx.Client(base_url=url, timeout=LONG) as client:
            yield client
    log.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / ".luban", actor="owner") as opened:
        yield opened


def fitted(client: httpx.Client) -> None:
    fit = {"data": ROWS, "target": "y", "rounds": 1, "learners": ["constant"], "name": "little"}
    job = client.post("/api/fit", json=fit).json()
    until = time.monotonic() + LONG
    while (state := client.get(job["url"]).json()["state"]) != "finished":
        assert state != "failed"
        assert time.monotonic() < until
        time.sleep(0.1)


def when(client: httpx.Client, status: int, method: str, path: str, **how: Any) -> httpx.Response:
    """Ask until this is the answer's status."""
    until = time.monotonic() + LONG
    while (answer := client.request(method, path, **how)).status_code != status:
        assert time.monotonic() < until, answer.text
        time.sleep(0.05)
    return answer


@pytest.mark.long
def test_from_rows_to_labelled_predictions_by_one_process(workspace: Workspace) -> None:
    """Fit, deploy, ask by three wires, label, monitor: nothing but the one server is asked."""
    with served(workspace, io.StringIO()) as client:
        assert client.get("/v2/health/ready").status_code == 404
        assert not any(path.startswith("/v2") for path in client.get("/openapi.json").json()["paths"])
        fitted(client)
        assert client.post("/api/deploy", json={"name": "shop", "model": "little"}).status_code == 200

        answer = when(client, 200, "POST", "/models/shop/predict", json={"rows": [{"a": 3}], "id": "first"})
        assert (answer.json()["model"], answer.json()["deployment"]) == ("little/1", "shop")
        tensor = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [3]}]}
        assert client.post("/v2/models/shop/infer", json=tensor).status_code == 200
        assert client.post("/v1/models/shop:predict", json={"instances": [{"a": 3}]}).status_code == 200
        paths = client.get("/openapi.json").json()["paths"]
        assert {"/v2/models/{model}/infer", "/models/{model}/predict", "/api/fit"} <= set(paths)
        assert "luban_requests_total" in client.get("/metrics").text

        label = {"name": "shop", "data": [{"request_id": "first", "label": "yes"}]}
        assert client.post("/api/feedback", json=label).json()["labels"] == 1
        until = time.monotonic() + LONG
        while workspace.predictions.count("shop") < 3:
            assert time.monotonic() < until
            time.sleep(0.1)
        mlflow = client.post("/api/2.0/mlflow/experiments/search", json={"max_results": 5})
        assert mlflow.status_code == 200


@pytest.mark.long
def test_one_gate_for_both(workspace: Workspace) -> None:
    """A token's scope is held against the operations and against the wires; a stranger gets to neither."""
    with served(workspace, io.StringIO()) as client:
        fitted(client)
        client.post("/api/deploy", json={"name": "shop", "model": "little"})
        row = {"rows": [{"a": 3}]}
        when(client, 200, "POST", "/models/shop/predict", json=row)
        asks = {"authorization": f"Bearer {workspace.tokens.create('asks', scopes=['infer'])[1]}"}
        looks = {"authorization": f"Bearer {workspace.tokens.create('looks', scopes=['read'])[1]}"}
        when(client, 401, "POST", "/models/shop/predict", json=row)
        assert client.get("/api/models/list").status_code == 401
        # Either is known within a second, and not at the same moment where the server looked between the two.
        when(client, 200, "POST", "/models/shop/predict", json=row, headers=asks)
        when(client, 403, "POST", "/models/shop/predict", json=row, headers=looks)
        assert client.get("/api/models/list", headers=asks).status_code == 403
        assert client.get("/api/models/list", headers=looks).status_code == 200
        evil = {**asks, "host": "evil.example"}
        assert client.post("/models/shop/predict", json=row, headers=evil).status_code in {403, 421}


@pytest.mark.long
def test_a_deployment_that_cannot_be_loaded_keeps_the_operations_from_nothing(workspace: Workspace) -> None:
    """Its model's bytes are gone: the operations answer, and the log says why the model does not."""
    events = io.StringIO()
    with served(workspace, io.StringIO()) as client:
        fitted(client)
        client.post("/api/deploy", json={"name": "shop", "model": "little"})
    artifact = workspace.blobs.local(workspace.models.get("little").artifact)
    artifact.chmod(0o600)
    artifact.write_bytes(b"something else")
    with served(workspace, events) as client:
        assert client.get("/api/models/list").status_code == 200
        assert client.post("/models/shop/predict", json={"rows": [{"a": 3}]}).status_code == 404
    told = [json.loads(line) for line in events.getvalue().splitlines()]
    assert "deployments-not-served" in {one["event"] for one in told}


@pytest.mark.long
def test_bodies_that_do_not_come_are_not_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operations, uploads and tracking answer 408; who leaves in the middle is no defect of the server's."""
    with served(workspace, io.StringIO()) as client:
        where = (client.base_url.host, client.base_url.port or 0)
        run = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
        kept = "/api/2.0/mlflow-artifacts/artifacts/" + run["artifact_uri"].split(":/")[1].lstrip("/") + "/x.bin"
        monkeypatch.setattr("luban.surfaces.rest.bodies.PATIENCE", 0.5)
        for asked in (
            "POST /api/models/promote",
            "POST /api/2.0/mlflow/runs/update",
            "PUT /api/files/x.csv",
            f"PUT {kept}",
        ):
            head = f"{asked} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 30000\r\n\r\n"
            with socket.create_connection(where, timeout=LONG) as left:
                left.sendall(head.encode() + b"{")
            with socket.create_connection(where, timeout=LONG) as slow:
                slow.sendall(head.encode() + b"{")
                assert client.get("/health").status_code == 200
                assert b" 408 " in slow.recv(1000), asked
        monkeypatch.setattr("luban.surfaces.rest.bodies.PATIENCE", LONG)
        assert client.put("/api/files/y.csv", content=b"a,y\n1,2\n").status_code == 201
        assert client.get("/api/files/x.csv").status_code == 404
    assert not [path for path in (workspace.root / "files").iterdir() if path.name != "y.csv"]
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.long
def test_no_request_to_its_wires_makes_the_server_fail(workspace: Workspace) -> None:
    """Of every operation of the wires on its page some good and some bad requests, for what is deployed."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings

    codes: set[int] = set()
    with served(workspace, io.StringIO()) as client:
        fitted(client)
        client.post("/api/deploy", json={"name": "shop", "model": "little"})
        row = {"rows": [{"a": 3}]}
        when(client, 200, "POST", "/models/shop/predict", json=row)
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        schema.config.generation.update(modes=list(schemathesis.GenerationMode))
        wires = [one.ok() for one in schema.get_all_operations() if not one.ok().path.startswith("/api/")]
        for wire in sorted(wires, key=lambda one: one.method.upper() == "DELETE" or one.path.endswith("/unload")):

            @settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=wire.as_strategy())
            def ask(case: Any) -> None:
                known = {"model": "shop", "name": "shop", "version": "1"}
                case.path_parameters.update({key: known[key] for key in known.keys() & case.path_parameters.keys()})
                answer = case.call(session=None, base_url=str(client.base_url), timeout=LONG)
                late = answer.status_code == 504 and "timeout" in repr(case.body)  # a deadline of the request's own
                assert answer.status_code < 500 or late, (case.method, case.formatted_path, case.body, answer.text)
                codes.add(answer.status_code)

            ask()
        assert client.get("/api/models/list").status_code == 200
    assert len(wires) > 40
    assert {200, 400, 404} <= codes
