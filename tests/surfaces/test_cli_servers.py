"""Commands that last: what they keep in memory, and that they end as other commands do."""

from __future__ import annotations

import json
import os
import signal
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
def started(root: Path, *command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server on a free port; gives the process and its URL once it answers."""
    port = servers.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "luban", *command, "--port", str(port)],
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
