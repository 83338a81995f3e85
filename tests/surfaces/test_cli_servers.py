"""Commands that last: what they keep in memory, and that they end as other commands do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sklearn.datasets import load_wine

import luban
import servers
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.long, pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")]
PATIENCE = 180.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a deployment."""
    folder = tmp_path_factory.mktemp("servers") / ".luban"
    wine = load_wine(as_frame=True)
    frame = wine.frame[[*wine.feature_names[:3], "target"]]
    with Workspace.open(folder) as workspace:
        luban.fit(frame, target="target", rounds=2, learners=("linear",), name="wine", workspace=workspace)
        workspace.deployments.set("shop", {"wine/1": 1.0})
    return folder


@contextmanager
def started(root: Path, *command: str, code: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server on a free port; gives the process and its URL once it answers."""
    port = servers.free_port()
    way = ["-c", code, str(port)] if code else ["-m", "luban", *command, "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *way],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "LUBAN_WORKSPACE": str(root)},
    )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
    try:
        while not _up(f"{url}/v2/health/ready"):
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("command", [("serve", "shop", "--json"), ("server",)])
def test_a_server_keeps_no_reader_of_command_lines_and_no_data_frames(root: Path, command: tuple[str, ...]) -> None:
    """The libraries with compiled cores that it has no need of are in no map of its memory; it ends as commands do."""
    with started(root, *command) as (process, url):
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        for library in ("pydantic_core", "pandas", "sklearn", "_s3fs", "/onnx/"):
            assert library not in maps, library
        words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert words[1:4] == ["-m", "luban", command[0]], "it is found under its own name"
        row = dict.fromkeys(load_wine().feature_names[:3], 1.0)
        answer = httpx.post(f"{url}/models/shop/predict", json={"rows": [row]}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    if "--json" in command:
        assert json.loads(out)["requests"] >= 1, "the result alone is on standard output"
        assert len(out.splitlines()) == 1


def test_a_server_that_cannot_begin_says_so_as_other_commands_do(root: Path) -> None:
    """One object on standard output, one line on standard error, and the code of what a user can mend."""
    done = subprocess.run(
        [sys.executable, "-m", "luban", "serve", "nothing", "--port", "0", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "LUBAN_WORKSPACE": str(root)},
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "not-found"
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1


def test_a_client_that_never_ends_its_head_is_hung_up_on_and_others_are_answered(root: Path) -> None:
    """`luban server`, with less patience than it has by itself: for what is silent, and for what comes in drops."""
    code = "import sys; from luban.surfaces.rest import server; server.PATIENCE = 2.0; "
    code += "server.serve(None, port=int(sys.argv[1]))"
    with started(root, code=code) as (_, url):
        host, port = url.removeprefix("http://").split(":")
        silent, slow, serving = (socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(3))
        with silent, slow, serving:
            slow.sendall(b"POST /api/models/list HTTP/1.1\r\nHost: 127.0.0.1\r\nx-drop: ")
            serving.sendall(b"POST /models/shop/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            assert httpx.get(f"{url}/health", timeout=PATIENCE).status_code == 200
            assert httpx.get(f"{url}/v2/health/ready", timeout=PATIENCE).status_code == 200
            for one in (silent, slow, serving):
                assert one.recv(100) == b"", "hung up on without an answer"
        assert httpx.get(f"{url}/health", timeout=PATIENCE).status_code == 200
