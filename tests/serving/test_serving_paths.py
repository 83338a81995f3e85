"""Names, paths and archives that a client sends reach no file, no other machine, and are never unpacked."""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import socket
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from served_deployments import load, register

from luban.serving.deployed import Deployed
from luban.serving.server import running
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = (
    "../secret",
    "..%2fsecret",
    "%2e%2e",
    "%2e%2e%2fsecret",
    "%252e%252e%252fsecret",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "..\\secret",
    "..%5csecret",
    "%5c%5cserver%5cshare",
    "C:%5csecret",
    "small%00",
    "small/../../secret",
    "secret.mar",
    "file:%2f%2f%2fetc%2fpasswd",
)
"""As they stand in a path of a request."""

ASKED = (
    ("POST", "/models/{}/predict"),
    ("POST", "/models/{}/versions/{}/predict"),
    ("POST", "/v2/models/{}/infer"),
    ("POST", "/v2/models/small/versions/{}/infer"),
    ("GET", "/v2/models/{}"),
    ("GET", "/v2/models/{}/ready"),
    ("POST", "/v2/repository/models/{}/load"),
    ("POST", "/v2/repository/models/{}/unload"),
    ("POST", "/v1/models/{}:predict"),
    ("POST", "/v1/models/{}:classify"),
    ("POST", "/v1/models/small/labels/{}:predict"),
    ("GET", "/v1/models/{}"),
    ("GET", "/v1/models/{}/metadata"),
    ("POST", "/predictions/{}"),
    ("POST", "/predictions/small/{}"),
    ("POST", "/explanations/{}"),
    ("GET", "/models/{}/1"),
    ("PUT", "/models/{}"),
    ("DELETE", "/models/{}"),
    ("PUT", "/models/small/{}/set-default"),
    ("POST", "/models/{}/invocations"),
)
"""Calls of every protocol that take a name or a version."""

SECRET = "what no answer tells"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server that loads models of a workspace by name; a secret lies beside the workspace and in it."""
    with Workspace.open(tmp_path / "work" / ".luban", actor="ada") as workspace:
        register(workspace)
        for place in (tmp_path, tmp_path / "work", workspace.root):
            (place / "secret").write_text(SECRET)
            (place / "secret.mar").write_bytes(archive())
        with Deployed(workspace, ["small"], load) as served, running(served.models) as where:
            yield where


def archive() -> bytes:
    """Return an archive whose members lie outside the folder that it would be unpacked in."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name in ("../evil", "../../evil", "/tmp/luban-evil", "..\\evil", "MAR-INF/MANIFEST.json"):
            made.writestr(name, "{}")
    return content.getvalue()


def ask(url: str, method: str, path: str, body: bytes = b"{}", **headers: str) -> tuple[int, str]:
    """Return the status and the text of the answer; the path goes out as it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=180)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"content-type": "application/json", **named})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def files(folder: Path) -> set[Path]:
    """Return the files that are no business of the database."""
    return {path for path in folder.rglob("*") if path.is_file() and "luban.db" not in path.name}


@pytest.mark.long
def test_a_name_that_is_a_path_is_refused_by_every_wire(url: str, tmp_path: Path) -> None:
    before = files(tmp_path)
    for method, path in ASKED:
        for name in NAMES:
            status, text = ask(url, method, path.replace("{}", name))
            assert 400 <= status < 500, (method, path, name, status, text)
            assert SECRET not in text
            assert "root:" not in text
    assert files(tmp_path) == before
    assert ask(url, "GET", "/v2/models/small/ready")[0] == 200


@pytest.mark.long
def test_nothing_is_registered_from_a_url_a_path_or_an_archive(url: str, tmp_path: Path) -> None:
    """TorchServe fetches and unpacks what its url names, Triton what config and file say; nothing here does."""
    before = files(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        elsewhere = f"127.0.0.1:{other.getsockname()[1]}"
        places = [
            f"http://{elsewhere}/m.mar",
            f"s3://{elsewhere}/m.mar",
            f"file://{tmp_path}/secret.mar",
            "\\\\x\\m.mar",
        ]
        places += [str(tmp_path / "secret.mar"), "secret.mar", "../secret.mar", "small/../../secret", "small\0", ".mar"]
        for place in places:
            for more in ("", "&model_name=evil", "&initial_workers=1"):
                status, text = ask(url, "POST", f"/models?url={quote(place, safe='')}{more}", archive())
                assert 400 <= status < 500, (place, more, status, text)
        content = base64.b64encode(archive()).decode()
        for parameters in (
            {"config": "{}", "file:1/model.onnx": content},
            {"config": json.dumps({"name": "../evil"})},
            {"file:../evil": content},
            {"file:1/../../evil": content},
            {"file": str(tmp_path / "secret.mar")},
        ):
            body = json.dumps({"parameters": parameters}).encode()
            for name in ("evil", "small", "%2e%2e%2fevil"):
                status, text = ask(url, "POST", f"/v2/repository/models/{name}/load", body)
                assert 400 <= status < 500, (parameters, name, status, text)
        with pytest.raises(BlockingIOError):  # nobody has come
            other.accept()
    assert files(tmp_path) == before
    assert json.loads(ask(url, "GET", "/models")[1]) == {"models": [{"modelName": "small", "modelUrl": "small"}]}


@pytest.mark.long
def test_archives_as_bodies_are_not_unpacked(url: str, tmp_path: Path) -> None:
    """A file's name in a form, and that in the head of a gzip body, are no paths; an archive is no row."""
    before = files(tmp_path)
    form = (
        b'--x\r\nContent-Disposition: form-data; name="age"; filename="../../evil"\r\n\r\n'
        + archive()
        + b"\r\n--x--\r\n"
    )
    packed = io.BytesIO()
    with gzip.GzipFile("../../evil", "wb", fileobj=packed) as made:
        made.write(archive())
    requests: list[tuple[bytes, dict[str, Any]]] = [
        (form, {"content_type": "multipart/form-data; boundary=x"}),
        (packed.getvalue(), {"content_encoding": "gzip"}),
        (archive(), {"content_type": "application/zip"}),
        (archive(), {}),
    ]
    for path in ("/models/small/predict", "/v2/models/small/infer", "/v1/models/small:predict", "/predictions/small", "/models/small/invocations"):  # fmt: skip  # noqa: E501
        for body, headers in requests:
            status, text = ask(url, "POST", path, body, **headers)
            assert 400 <= status < 500, (path, headers, status, text)
    assert files(tmp_path) == before
