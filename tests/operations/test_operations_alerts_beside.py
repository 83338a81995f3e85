"""Who only serves is told all the same: rules are held against figures beside a server, once, over restarts."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import turning_rows as turning

from luban.core.alert import AlertState
from luban.monitoring.alerts import webhook
from luban.operations.alerts import beside as alerts
from luban.operations.alerts.add import alerts_add
from luban.operations.alerts.remove import alerts_remove
from luban.operations.beside import Beside
from luban.operations.deploy import deploy
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.long
PATIENCE = 600.0
"""Seconds after which something that should come is said not to come."""

KEY = "key-of-the-hook"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

PROGRAM = """
import sys
from luban.operations.alerts import beside
beside.EVERY = 0.0
from luban.surfaces.cli import main
main()
"""
"""`luban`, which does not wait for a minute between two looks."""


@contextlib.contextmanager
def _hook() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Run a receiver on loopback; gives its address and what it takes: signatures and bodies."""
    taken: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.headers[webhook.SIGNATURE], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", taken
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _server(workspace: Path, *arguments: str) -> Iterator[str]:
    """Run a command that serves, and give the URL that it says."""
    given = {"LUBAN_WORKSPACE": str(workspace), "LUBAN_WEBHOOK_NETWORKS": "127.0.0.0/8", "HOOK_KEY": KEY}
    command = [sys.executable, "-c", PROGRAM, *arguments, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **given}
    ) as process:
        try:
            assert process.stderr is not None
            url = next(found for line in process.stderr if (found := _url(line)))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield url
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def _url(line: str) -> str | None:
    if "answers on " in line:
        return line.split("answers on ")[1].split("/ ", maxsplit=1)[0]
    return json.loads(line).get("url") if line.startswith("{") else None


def _ask(url: str, count: int, *, seed: int, moved: float) -> None:
    rows = turning.rows(count, turned=False, seed=seed).select(["x", "y"]).to_pylist()
    body = json.dumps({"rows": [{"x": row["x"] + moved, "y": row["y"]} for row in rows]}).encode()
    request = urllib.request.Request(f"{url}/models/weather/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert len(json.load(answer)["predictions"]) == count


def _come(taken: list[tuple[str, bytes]], count: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(taken) < count:
        assert time.monotonic() < until, taken
        time.sleep(0.05)


@pytest.mark.timeout(2400)
def test_a_server_alone_tells_once_over_restarts_and_beside_another(tmp_path: Path) -> None:
    """`luban serve` and nobody at the machine: inputs that moved are told by one signed message. Two servers that are
    started after that on the same workspace tell what is new (the number of rows), and do not tell the first again,
    though it goes on; when it is over they say so once."""
    root = tmp_path / ".luban"
    with _hook() as (hook, taken), Workspace.open(root, actor="ada") as workspace:
        turning.champion(workspace)
        deploy(workspace, "weather", "weather")
        alerts_add(workspace, "moved", "weather", "drift.share > 0.2", to=hook, secret="HOOK_KEY")
        alerts_add(workspace, "many", "weather", "rows >= 150", to=hook, secret="HOOK_KEY")
        with _server(root, "serve", "weather") as url:
            _ask(url, 100, seed=2, moved=4.0)
            _come(taken, 1)
        with _server(root, "serve", "weather") as url, _server(root, "server") as other:
            _ask(other, 100, seed=3, moved=4.0)
            _come(taken, 2)
            _ask(url, 1000, seed=4, moved=0.0)
            _come(taken, 3)
        for signed, body in taken:
            signed_at = int(signed.partition(",")[0].removeprefix("t="))
            assert webhook.verify(KEY, body, signed, moment=signed_at)
        told = [json.loads(body) for _, body in taken]
        assert [(one["alert"], one["event"]) for one in told] == [
            ("moved", "alarm"),
            ("many", "alarm"),
            ("moved", "recovery"),
        ]
        assert workspace.audit.verify() > 0


class Server(alerts._Rules):
    """What a server does about rules, with a process that only notes what it was to look at."""

    def __init__(self, workspace: Workspace, *names: str) -> None:
        self.looks: list[list[str]] = []
        super().__init__(workspace, names, Beside("alerts"))

    def _process(self, names: list[str]) -> dict[str, Any]:
        self.looks.append(names)
        return {"looks": {name: {"outcome": "done"} for name in names}}


def test_a_process_starts_only_where_there_is_a_rule_and_something_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing without a rule, without rows, for another's deployment, while another server looks, and after a look
    until rows or labels come; an alarm that goes on is looked at again, by a server that has just begun too."""
    monkeypatch.setattr(alerts, "EVERY", 0.0)
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        turning.champion(workspace)
        deploy(workspace, "weather", "weather")
        one, foreign = Server(workspace), Server(workspace, "another")

        def looked() -> int:
            one._next.clear()  # the minute is over
            before = len(one.looks)
            one.look()
            return len(one.looks) - before

        turning.logged(workspace, turning.rows(20, turned=False, seed=2))
        assert looked() == 0
        alerts_add(workspace, "moved", "weather", "drift.share > 0.2")
        workspace.deployments.set("nowhere", {"weather/1": 1.0})
        alerts_add(workspace, "gone", "nowhere", "drift.share > 0.2")
        workspace.deployments.remove("nowhere")
        assert looked() == 0  # too few rows
        turning.logged(workspace, turning.rows(20, turned=False, seed=3), start=100)
        held = workspace.leases.take("alerts/weather", "another server")
        assert held is not None
        assert looked() == 0
        workspace.leases.release(held)
        assert (looked(), looked()) == (1, 0)
        turning.logged(workspace, pa.concat_tables([turning.rows(20, turned=False, seed=4)]), start=200)
        assert (looked(), looked()) == (1, 0)
        assert workspace.alerts.move("moved", AlertState(), AlertState(since=NOON))  # in quiet hours: told to nobody
        assert looked() == 0  # this server has seen all that is there, and turned nothing on
        begun = Server(workspace)
        for _ in range(3):
            begun._next.clear()
            begun.look()
        assert begun.looks == [["weather"]] * 3
        foreign.look()
        assert foreign.looks == []
        for name in ("moved", "gone"):
            alerts_remove(workspace, name)
        begun._next.clear()
        begun.look()
        assert len(begun.looks) == 3
