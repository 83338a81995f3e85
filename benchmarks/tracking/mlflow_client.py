"""The MLflow client, the same one, logging to `luban server` and to MLflow's own server with SQLite."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CLIENT = """
import json, statistics, sys, time
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
client, runs, steps = MlflowClient(), int(sys.argv[1]), int(sys.argv[2])
experiment = client.create_experiment(f"benchmark {time.time()}")
taken = {"log_metric": [], "log_batch": [], "run": [], "search": []}
def timed(name, call):
    begin = time.perf_counter(); result = call(); taken[name].append(time.perf_counter() - begin)
    return result
def one_run(number):
    run = client.create_run(experiment).info.run_id
    client.log_batch(run, [Metric("loss", 0.5, 0, 0)], [Param("number", str(number))], [])
    client.set_terminated(run)
    return run
run = client.create_run(experiment).info.run_id
client.log_metric(run, "warm", 1.0)
for step in range(steps):
    timed("log_metric", lambda: client.log_metric(run, "loss", 1 / (1 + step), step=step))
for batch in range(8):
    rows = [Metric(f"m{n % 10}", n * 0.5, n, batch * 100 + n // 10) for n in range(1000)]
    timed("log_batch", lambda: client.log_batch(run, rows, [], []))
for number in range(runs):
    timed("run", lambda: one_run(number))
def search():
    return client.search_runs([experiment], "metrics.loss < 1", order_by=["metrics.loss ASC"], max_results=100)
for _ in range(5):
    timed("search", search)
if len(client.get_metric_history(run, "loss")) != steps:
    raise AssertionError("values were lost")
print(json.dumps({name: statistics.median(values) for name, values in taken.items()}))
"""


def compare(folder: Path, peer: Path, *, runs: int = 25, steps: int = 150) -> dict[str, float]:
    """Return the p50 of each call in milliseconds for both servers, and how many times quicker Luban's is."""
    figures: dict[str, float] = {}
    measured = {}
    for name, server in (("luban", _luban(folder)), ("mlflow", _mlflow(folder, peer))):
        with server as address:
            known = {**os.environ, "MLFLOW_TRACKING_URI": address, "MLFLOW_DISABLE_TELEMETRY": "true"}
            known.pop("LUBAN_STORE", None)
            command = [str(peer), "-c", _CLIENT, str(runs), str(steps)]
            done = subprocess.run(command, env=known, capture_output=True, text=True, check=True, timeout=300)
            measured[name] = json.loads(done.stdout.splitlines()[-1])
    for call in measured["luban"]:
        ours, theirs = measured["luban"][call], measured["mlflow"][call]
        figures |= {
            f"client_{call}_luban_ms": ours * 1e3,
            f"client_{call}_mlflow_ms": theirs * 1e3,
            f"client_{call}_ratio": theirs / ours,
        }
    return figures


@contextmanager
def _luban(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "luban", "server", "--port", "0", "--workspace", str(folder / "served")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://[\d.]+:\d+", process.stderr.readline())
        assert found is not None
        yield found.group()
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _mlflow(folder: Path, peer: Path) -> Iterator[str]:
    """Start MLflow's server as it comes, with SQLite, and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = folder / "mlflow"
    place.mkdir()
    store = f"sqlite:///{place / 'mlflow.db'}"
    command = [str(peer), "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
    command += ["--artifacts-destination", str(place / "artifacts")]
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (place / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, env=quiet, start_new_session=True)
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 120
            while not _answers(address):
                if time.monotonic() > until or process.poll() is not None:
                    raise AssertionError(f"MLflow's server did not start: {(place / 'log').read_text()[-2000:]}")
                time.sleep(0.5)
            yield address
        finally:
            os.killpg(process.pid, 15)
            process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
