"""What a server lives through: workers killed at any moment, a disk that fills up, bytes that are no request."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_deployments import deployment_server, register

import servers
from luban.store import Workspace
from waiting import children, until

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
STORED = 'luban_prediction_log_rows_total{deployment="shop",outcome="stored"}'


def stored(url: str) -> int:
    """Return how many rows of the log the server calls stored."""
    lines = httpx.get(f"{url}/metrics", timeout=180).text.splitlines()
    return int(sum(float(one.rsplit(" ", 1)[1]) for one in lines if one.startswith(STORED)))


# --- kills ----------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_killed_at_any_moment_lose_nothing_that_counted_as_stored(tmp_path: Path) -> None:
    """Workers are killed under load while the deployment moves: rows called stored are there, each once."""
    folder, chance = tmp_path / ".luban", random.Random(5)
    with Workspace.open(folder, actor="ada") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {"small/1": 1.0})
        acknowledged, stop, sent = 0, threading.Event(), [0]

        def ask() -> None:
            while not stop.is_set():
                try:
                    with httpx.Client(base_url=url, timeout=180) as client:
                        while not stop.is_set():
                            body = {"rows": [{**ROW, "age": sent[0] % 90}]}
                            assert client.post("/models/shop/predict", json=body).status_code == 200
                            sent[0] += 1
                except httpx.TransportError:  # what a killed worker was answering is lost, and was not acknowledged
                    continue

        with deployment_server(folder, "--workers", "2", "shop") as (process, url):
            clients = [threading.Thread(target=ask) for _ in range(3)]
            for one in clients:
                one.start()
            until(lambda: stored(url) > 0)
            for turn in range(5):
                time.sleep(chance.uniform(0.4, 1.6))
                acknowledged = max(acknowledged, stored(url))
                workspace.deployments.set("shop", {f"small/{1 + turn % 2}": 1.0})
                os.kill(chance.choice(until(lambda: children(process.pid))), signal.SIGKILL)
                until(lambda: len(children(process.pid)) == 2)
            before = sent[0]
            until(lambda: sent[0] > before + 20)
            stop.set()
            for one in clients:
                one.join()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=180)
        log = workspace.predictions.read("shop")["request_id"].to_pylist()
        assert acknowledged > 0
        assert acknowledged <= len(log)
        assert len(log) == len(set(log))
        assert workspace.audit.verify()


_MOVES = """
import sys
from luban.store import Workspace
with Workspace.open(sys.argv[1], actor="mover") as workspace:
    while True:
        for version in (1, 2):
            workspace.models.set_alias("small", "live", version, reason=f"to {version}")
            workspace.deployments.set("shop", {f"small/{version}": 1.0}, reason=f"to {version}")
            print(version, flush=True)
"""


@pytest.mark.long
def test_who_moves_aliases_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    """An alias and a deployment are where the record says that they were moved to last, and the chain is whole."""
    folder, chance = tmp_path / ".luban", random.Random(7)
    with Workspace.open(folder, actor="ada") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {"small/1": 1.0})
        for _ in range(6):
            mover = subprocess.Popen(
                [sys.executable, "-c", _MOVES, str(folder)], stdout=subprocess.PIPE, text=True, bufsize=1
            )
            assert mover.stdout is not None
            for _ in range(2):
                mover.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            mover.kill()
            mover.communicate()
            last = workspace.models.alias_history("small")[-1]
            assert workspace.models.get("small@live").version == last.after
            entry = [one for one in workspace.audit.entries() if one.subject == "deployment/shop"][-1]
            assert workspace.deployments.get("shop").traffic == entry.detail["after"]["traffic"]
        assert workspace.audit.verify()


# --- the disk -------------------------------------------------------------------------------------


@pytest.mark.long
def test_answers_go_on_while_the_disk_is_full_and_the_log_catches_up(tmp_path: Path) -> None:
    """On a real full disk every request is answered; once there is room all of them are in the log."""
    try:
        with servers.small_disk(tmp_path / "small", "4m") as disk:
            _fill_and_free(disk)
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


def _fill_and_free(disk: Path) -> None:
    folder = disk / ".luban"
    with Workspace.open(folder, actor="ada") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {"small/1": 1.0})
    with deployment_server(folder, "shop") as (_, url), httpx.Client(base_url=url, timeout=180) as client:

        def ask(count: int) -> set[int]:
            return {client.post("/models/shop/predict", json={"rows": [ROW]}).status_code for _ in range(count)}

        assert ask(10) == {200}
        until(lambda: stored(url) == 10)
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free)
        assert ask(200) == {200}
        time.sleep(1.5)  # it tries in vain, twice at least
        assert stored(url) < 210
        assert ask(10) == {200}
        ballast.unlink()
        until(lambda: stored(url) == 220)
    with Workspace.open(folder) as workspace:
        log = workspace.predictions.read("shop")["request_id"].to_pylist()
        assert len(log) == len(set(log)) == 220


# --- bytes ----------------------------------------------------------------------------------------

_LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /models/binary/predict HTTP/1.1\r\n",
        b"POST /v2/models/binary/infer HTTP/9.9\r\n",
        b"Host: localhost\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Inference-Header-Content-Length: 7\r\n",
        b"\r\n",
        b"5\r\nhello\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"{}",
        b"\x00\xff\r\n",
        b"x" * 70_000,
    ]
)


@pytest.mark.long
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(parts=st.lists(_LINES | st.binary(max_size=40), max_size=8))
def test_bytes_that_are_no_request_harm_nobody(server: str, parts: list[bytes]) -> None:
    """Whatever comes over a connection is no failure of the server, and others are answered as before."""
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=120) as client:
        client.sendall(b"".join(parts))
        client.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while part := client.recv(65536):
                got += part
        except ConnectionResetError:  # it was closed before all of it was read
            pass
    assert b"HTTP/1.1 5" not in got
    assert httpx.get(f"{server}/v2/health/live", timeout=120).status_code == 200
