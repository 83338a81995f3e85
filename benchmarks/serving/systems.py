"""The servers that are compared: how each is started, and how each is asked for one row."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.automl.environments import peer_python
from benchmarks.serving.client import request
from benchmarks.serving.model import DEPLOYMENT
from benchmarks.serving.processes import free_port, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.serving.model import Made

RUNNERS = Path(__file__).parent / "runners"
PEERS = ("mlflow", "bentoml", "litserve")


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers.

    Attributes
    ----------
    url : str
    process : int
        At the head of its tree.
    requests : dict of str to list of bytes
        By protocol, one for each row.
    """

    url: str
    process: int
    requests: dict[str, list[bytes]]


@contextmanager
def luban(made: Made, folder: Path, *options: str, names: tuple[str, ...] = (DEPLOYMENT,)) -> Iterator[Running]:
    """Run ``luban serve`` with all that it does: token, schema check, prediction log, access log, metrics."""
    port = free_port()
    command = [sys.executable, "-m", "luban", "serve", *names, "--port", str(port), *options]
    environment = {"LUBAN_WORKSPACE": str(made.root)}
    with server(command, port, folder / "luban.log", health="/v2/health/ready", environment=environment) as (url, head):
        yield Running(url=url, process=head, requests=requests_of(made, names[0]))


def requests_of(made: Made, name: str) -> dict[str, list[bytes]]:
    """Return requests for one row each, by protocol."""
    token = {"Authorization": f"Bearer {made.token}"}
    tensors = [
        [{"name": column, "shape": [1, 1], "datatype": "FP64", "data": [value]} for column, value in row.items()]
        for row in made.rows
    ]
    return {
        "records": [_request(f"/models/{name}/predict", {"rows": [row]}, token) for row in made.rows],
        "open inference": [_request(f"/v2/models/{name}/infer", {"inputs": one}, token) for one in tensors],
        "mlflow": [_request(f"/models/{name}/invocations", _split(row), token) for row in made.rows],
    }


@contextmanager
def peer(name: str, made: Made, folder: Path, environments: Path) -> Iterator[Running]:
    """Run a peer's server with one process that computes, without token, schema check and log."""
    python, port = peer_python(name, environments), free_port()
    programs = python.parent
    environment = {"MODEL": str(made.graph), "PATH": f"{programs}:/usr/bin:/bin", "PYTHONPATH": str(RUNNERS)}
    environment |= {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    if name == "mlflow":
        model = folder / "mlflow_model"
        if not model.exists():
            subprocess.run(
                [str(python), str(RUNNERS / "mlflow_model.py"), str(model)],
                check=True,
                env=environment,
                cwd=folder,
                capture_output=True,
            )
        command = [str(programs / "mlflow"), "models", "serve", "-m", str(model), "--env-manager", "local"]
        command += ["--port", str(port), "--workers", "1"]
        path, health, bodies = "/invocations", "/health", [_split(row) for row in made.rows]
    else:
        path, bodies = "/predict", [{"row": row} for row in made.rows]
        if name == "bentoml":
            command = [str(programs / "bentoml"), "serve", "bentoml_service:Cancer", "--working-dir", str(RUNNERS)]
            command += ["--host", "127.0.0.1", "--port", str(port)]
            health = "/readyz"
        else:
            command, health = [str(python), str(RUNNERS / "litserve_server.py"), str(port)], "/health"
    with server(command, port, folder / f"{name}.log", health=health, environment=environment) as (url, head):
        yield Running(url=url, process=head, requests={"own": [_request(path, body, {}) for body in bodies]})


def _request(path: str, body: object, headers: dict[str, str]) -> bytes:
    return request(path, json.dumps(body).encode(), headers)


def _split(row: dict[str, float]) -> dict[str, object]:
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
