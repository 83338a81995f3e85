"""The two servers of the stream: one answers, one takes labels; both carry out the policy, under one lease."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def answering(workspace: Path, name: str, told: list[dict[str, Any]]) -> Iterator[str]:
    """Run `luban serve` and give its URL; what its log says of updates is appended to `told`."""
    command = [sys.executable, "-m", "luban", "serve", name, "--port", "0"]
    with _process(command, workspace) as process:
        ready, url = threading.Event(), []

        def read() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                if not line.startswith("{"):
                    continue
                said = json.loads(line)
                if said.get("event") == "start":
                    url.append(said["url"])
                    ready.set()
                if said.get("event") in ("update", "swapped"):
                    told.append(said)

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(60):
            raise RuntimeError("luban serve did not start")
        yield url[0]


@contextlib.contextmanager
def taking_labels(workspace: Path) -> Iterator[str]:
    """Run `luban server` and give its URL."""
    command = [sys.executable, "-m", "luban", "server", "--port", "0"]
    with _process(command, workspace) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "answers on " in line:
                url = line.split("answers on ")[1].split("/ ")[0]
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield url
                return
        raise RuntimeError("luban server did not start")


@contextlib.contextmanager
def _process(command: list[str], workspace: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "LUBAN_WORKSPACE": str(workspace)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def post(url: str, body: dict[str, Any], request_id: str | None = None) -> dict[str, Any]:
    """Send a JSON object and return the one that is answered."""
    headers = {"content-type": "application/json"} | ({"x-request-id": request_id} if request_id else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
