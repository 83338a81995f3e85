"""Every kind of task over texts, pictures, sounds and mixtures goes the whole way, by command and over REST."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow.parquet as pq
import pytest

from kinds_of_rows import KINDS, written
from servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.surfaces.conftest import CommandLine

pytest.importorskip("transformers")
pytest.importorskip("PIL")
pytest.importorskip("soundfile")
# What the answer to one row must hold, beside its prediction.
ANSWERS = {"matching": "alternatives", "tokens": "probability"} | dict.fromkeys(
    ("mixture", "similarity", "image_regression"), "prediction"
)
# Of what the explanation shows pieces, and of what pictures.
_PICTURES = ("image", "audio", "mnist_5k", "image_multilabel", "image_regression")
DRAWN = {
    "mixture": {"picture", "bar"},
    "petfinder_mini": {"spans", "bar"},
    **{kind: {"picture"} for kind in _PICTURES},
}


def asked(url: str, path: str, body: dict[str, Any], seconds: float = 180) -> dict[str, Any]:
    """Return the answer of a server as soon as it has started."""
    until = time.monotonic() + seconds
    while True:
        try:
            answer = httpx.post(f"{url}{path}", json=body, timeout=120)
        except httpx.ConnectError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            assert answer.status_code in (200, 202), answer.text
            found: dict[str, Any] = answer.json()
            return found


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_by_command(kind: str, luban: CommandLine, shared_data: Callable[[str], Path]) -> None:
    """Fit, predict, evaluate, explain with its page, export, and a served request, each with one JSON object."""
    given = written(kind, luban.folder, shared_data)
    options = [part for name, value in given.options.items() for part in _option(name, value)]

    def run(*arguments: str) -> Any:
        answer = luban(*arguments, "--json", timeout=600)
        assert answer.code == 0, answer.err[-2000:]
        return answer.json

    fitted = run("fit", given.file, *options, "--name", "kind", "--rounds", "1", "--seed", "1")
    assert fitted["model"] == "kind/1"
    assert not [note for note in fitted["notes"] if "no ONNX graph" in note]
    predicted = run("predict", "kind", given.file, "-o", "out.parquet")
    assert predicted["rows"] == len(pq.read_table(luban.folder / "out.parquet"))
    assert run("evaluate", "kind", given.file)["metrics"][fitted["metric"]] is not None
    told = run("explain", "kind", given.file, "--budget", "90s", "--html", "page.html")
    drawn = {evidence["drawing"] for one in told["report"]["findings"] for evidence in one["evidence"]}
    assert drawn >= DRAWN.get(kind, {"spans"}), told["report"]
    assert (luban.folder / "page.html").stat().st_size > 5000
    exported = run("export", "kind", "-o", "out")
    assert exported["parity"] is not None
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = luban.start("serve", "kind", "--port", str(port), *(["--workers", "2"] if kind == "image" else []))
    try:
        answer = asked(url, "/models/kind/predict", {"rows": [given.row]})
        assert ANSWERS.get(kind, "probabilities") in answer["predictions"][0]
        if kind == "image":  # a path is refused by every process, whatever it leads to
            path = luban.folder / "there.jpg"
            path.write_bytes(b"\xff\xd8\xff")
            for _ in range(8):
                refused = httpx.post(f"{url}/models/kind/predict", json={"rows": [{"image": str(path)}]}, timeout=60)
                assert refused.status_code == 403
                assert "never as a path" in refused.json()["error"]
    finally:
        server.terminate()
        server.communicate(timeout=60)


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
def test_over_rest(kind: str, luban: CommandLine, shared_data: Callable[[str], Path]) -> None:
    """The same verbs as jobs of a server: the rows are uploaded, one is asked as a client gives it."""
    given = written(kind, luban.folder, shared_data)
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(
        [sys.executable, "-m", "luban", "server", "--port", str(port), "--workspace", str(luban.folder / ".luban")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def job(verb: str, **body: Any) -> Any:
        begun = asked(url, f"/api/{verb}", body)
        while True:
            state: dict[str, Any] = httpx.get(f"{url}{begun['url']}", timeout=60).json()
            if state["state"] in {"finished", "failed"}:
                assert state["state"] == "finished", state
                return state["result"]
            time.sleep(0.3)

    try:
        _started(url)
        content = (luban.folder / given.file).read_bytes()
        assert httpx.put(f"{url}/api/files/{given.file}", content=content, timeout=60).status_code == 201
        fitted = job("fit", data=given.file, name="kind", rounds=1, **given.options)
        assert fitted["model"] == "kind/1"
        answer = asked(url, "/api/predict", {"model": "kind", "data": [given.row]})
        assert answer["rows"] == 1
        assert "prediction" in answer["predictions"][0]
        assert asked(url, "/api/evaluate", {"model": "kind", "data": given.file})["metrics"]
        assert job("explain", model="kind", budget="60s")["report"]["findings"]
        exported = asked(url, "/api/export", {"model": "kind", "output": "out"})
        assert exported["parity"] is not None
    finally:
        server.terminate()
        server.wait(timeout=60)


def _started(url: str, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            httpx.get(f"{url}/health", timeout=120)
        except httpx.ConnectError:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.2)
        else:
            return


def _option(name: str, value: Any) -> list[str]:
    return [f"--{name}", ",".join(value) if isinstance(value, list) else str(value)]
