"""What a server does with too much, too slow and too broken requests, over real sockets."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

import small_models as small
from luban.export.onnx.build import build
from luban.serving.access_log import AccessLog
from luban.serving.limits import Limits
from luban.serving.runtime import Runtime
from luban.serving.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
RELEASED = threading.Event()


@dataclass(frozen=True, kw_only=True)
class Moody(small.ByHand):
    """Does as a row's age says: 1 raises, 2 hangs, 3 answers NaN."""

    def predict(self, rows: Any) -> Any:
        ages = rows["age"].to_pylist()
        if 1.0 in ages:
            raise ZeroDivisionError("a secret detail")
        if 2.0 in ages:
            RELEASED.wait(180)
        found = super().predict(rows)
        found[[place for place, age in enumerate(ages) if age == 3.0]] = np.nan
        return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    quick, moody = small.fitted(small.NUMBER), small.fitted(small.NUMBER, Moody(task=small.NUMBER))
    runtimes = [Runtime.from_fitted(quick, build(quick), name="quick"), Runtime.from_fitted(moody, name="moody")]
    limits = Limits(body=200_000, bodies=500_000, patience=180.0, seconds=180.0, suspicious=0.3)
    with running(runtimes, limits=limits) as url:
        yield url
        RELEASED.set()


def ask(url: str, age: float, model: str = "moody", **more: Any) -> httpx.Response:
    return httpx.post(f"{url}/models/{model}/predict", json={"rows": [{**ROW, "age": age}]}, timeout=180, **more)


def test_a_model_that_raises_hangs_or_answers_nan_fails_its_own_requests_only(url: str) -> None:
    """Who asks what hangs waits for two seconds, and the others for as long as it takes."""
    ages = [10.0, 1.0, 11.0, 2.0, 12.0, 3.0, 13.0] * 2
    waits = {2.0: {"headers": {"x-luban-timeout": "2"}}}
    with ThreadPoolExecutor(len(ages) + 4) as pool:
        found = [pool.submit(ask, url, age, **waits.get(age, {})) for age in ages]
        quick = [pool.submit(ask, url, age, "quick") for age in range(4)]
        assert all(one.result().status_code == 200 for one in quick)
        codes = [(age, one.result().status_code) for age, one in zip(ages, found, strict=True)]
    assert codes == [(age, {1.0: 500, 2.0: 504, 3.0: 500}.get(age, 200)) for age in ages]
    assert "secret" not in found[1].result().text
    RELEASED.set()
    RELEASED.clear()


def test_a_deadline_is_504_and_one_that_is_none_400(url: str) -> None:
    assert ask(url, 2.0, headers={"x-luban-timeout": "0.1"}).status_code == 504
    assert ask(url, 10.0, headers={"x-luban-timeout": "180"}).status_code == 200
    assert ask(url, 10.0, "quick", headers={"x-luban-timeout": "180"}).status_code == 200
    assert ask(url, 10.0, "quick", headers={"x-luban-timeout": "1e-9"}).status_code == 504
    for wrong in ("soon", "-1", "nan", "inf", "0"):
        assert ask(url, 10.0, headers={"x-luban-timeout": wrong}).status_code == 400, wrong
    body = {"rows": [{**ROW, "age": 2.0}], "timeout": 0.05}
    assert httpx.post(f"{url}/models/moody/predict", json=body, timeout=180).status_code == 504
    assert httpx.post(f"{url}/models/moody/predict", json={**body, "timeout": [1]}, timeout=180).status_code == 400
    RELEASED.set()
    RELEASED.clear()


def test_what_nobody_set_a_deadline_for_has_the_servers() -> None:
    runtime = Runtime.from_fitted(small.fitted(small.NUMBER, Moody(task=small.NUMBER)), name="moody")
    with running([runtime], limits=Limits(seconds=0.1)) as url:
        assert ask(url, 2.0).status_code == 504
        RELEASED.set()
    RELEASED.clear()


def test_more_than_can_be_answered_is_429_with_a_time_to_ask_again() -> None:
    """Requests wait for a model that hangs; what comes beyond the bound is refused at once."""
    released = threading.Event()

    @dataclass(frozen=True, kw_only=True)
    class Waits(small.ByHand):
        def predict(self, rows: Any) -> Any:
            if 2.0 in rows["age"].to_pylist():
                released.wait(180)
            return super().predict(rows)

    runtime = Runtime.from_fitted(small.fitted(small.NUMBER, Waits(task=small.NUMBER)), name="waits")
    body = {"rows": [{**ROW, "age": 2.0}]}
    with running([runtime], limits=Limits(requests=8, seconds=180.0)) as url, ThreadPoolExecutor(12) as pool:
        client = httpx.Client(base_url=url, timeout=180)
        asked = [pool.submit(client.post, "/models/waits/predict", json=body) for _ in range(12)]
        while sum(one.done() for one in asked) < 4:
            time.sleep(0.01)
        refused = [one.result() for one in asked if one.done()]
        assert [one.status_code for one in refused] == [429] * 4
        assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
        assert client.get("/v2/health/live").status_code == 200
        released.set()
        assert sorted(one.result().status_code for one in asked) == [200] * 8 + [429] * 4
        client.close()


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/quick/infer",
        "/models/quick/predict",
        "/v1/models/quick:predict",
        "/predictions/quick",
        "/models/quick/invocations",
        "/v2/repository/index",
    ],
)
def test_bodies_of_100_megabytes_are_413_by_every_wire(url: str, path: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=180) as client:  # what is declared is enough
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n".encode())
        assert b" 413 " in client.recv(1000)
    pieces = (b" " * 65536 for _ in range(1600))
    try:
        answer = httpx.post(url + path, content=pieces, timeout=180)
    except (httpx.WriteError, httpx.ReadError):  # the server had closed the connection before all of it was sent
        return
    assert answer.status_code == 413


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_413_and_what_is_no_archive_400(url: str, coding: str) -> None:
    pack = gzip.compress if coding == "gzip" else zlib.compress

    def post(content: bytes, coding: str = coding) -> int:
        headers = {"content-encoding": coding}
        return httpx.post(f"{url}/models/quick/predict", content=content, headers=headers, timeout=180).status_code

    assert post(pack(b" " * 50_000_000)) == 413
    assert post(b"no archive") == 400
    assert post(pack(b"{}")[:-6]) == 400
    assert post(pack(json.dumps({"rows": [ROW]}).encode())) == 200
    assert post(b"x", "br") == 415


def test_slow_clients_are_cut_and_others_answered_meanwhile() -> None:
    runtime = Runtime.from_fitted(small.fitted(small.NUMBER), name="quick")
    with running([runtime], limits=Limits(patience=2.0)) as url:
        _slow_clients(url)


def _slow_clients(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    head = b"POST /models/quick/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"
    silent, slow_head, slow_body = (socket.create_connection((host, int(port)), timeout=180) for _ in range(3))
    slow_head.sendall(head)
    slow_body.sendall(head + b"\r\n{")
    assert ask(url, 10.0, "quick").status_code == 200
    with silent, slow_head, slow_body:
        assert silent.recv(100) == b""
        assert slow_head.recv(100) == b""
        assert b" 408 " in slow_body.recv(1000)


def _drip(client: socket.socket, seconds: float = 180.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        client.sendall(b" ")
        time.sleep(0.1)


@pytest.mark.long
def test_the_rest_of_a_body_that_was_answered_is_not_waited_for_for_ever() -> None:
    """One byte now and then, of a body that is too large and was told so, keeps no connection."""
    runtime = Runtime.from_fitted(small.fitted(small.NUMBER), name="quick")
    with running([runtime], limits=Limits(patience=3.0)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=180) as client:
            client.sendall(
                b"POST /models/quick/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n{"
            )
            assert b" 413 " in client.recv(1000)
            with pytest.raises(OSError, match=r"reset|pipe|abort"):
                _drip(client)


_CHUNKED = b"POST /models/quick/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def _answered(url: str, head: bytes, more: bytes = b"", times: int = 0) -> bytes:
    """Send bytes, and more of them again and again; return what came back, nothing where the connection was reset."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=180) as client:
        with suppress(ConnectionResetError, BrokenPipeError):  # who hangs up may have said why
            client.sendall(head)
            for _ in range(times):
                client.sendall(more)
        try:
            return client.recv(4096)
        except ConnectionResetError:
            return b""


@pytest.mark.long
def test_heads_are_bounded_and_a_long_one_is_told_so() -> None:
    """In one header, in many, in the address, and in what may stand beside the pieces of a body; bodies are not."""
    runtime = Runtime.from_fitted(small.fitted(small.NUMBER), name="quick")
    live = b"GET /v2/health/live%b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
    with running([runtime], limits=Limits(patience=180.0)) as url:
        assert b" 200 " in _answered(url, live % (b"", b"x-a: " + b"a" * 60_000 + b"\r\n"))
        for size in (70_000, 100_000):
            for head in (
                live % (b"", b"x-a: " + b"a" * size + b"\r\n"),
                live % (b"", b"".join(b"x-%d: b\r\n" % number for number in range(size // 5))),
                live % (b"?" + b"a" * size, b""),
            ):
                found = _answered(url, head)
                assert b" 431 " in found, found
                assert b"65536 bytes" in found
        many = live % (b"", b"x: b\r\n" * 11_000)  # 66,000 bytes, of which 22,000 say something
        assert b" 431 " in _answered(url, many)
        letters, trailers = b"a" * 100_000, b"".join(b"x-%d: b\r\n" % number for number in range(10_000))
        for head, more in (
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nx-a: ", letters),
            (_CHUNKED + b"2;", letters),
            (_CHUNKED + b"2\r\n{}\r\n0\r\n", trailers),
        ):
            found = _answered(url, head, more, 500)
            assert found == b"" or b" 431 " in found, found
        body = b'{"rows": []' + b" " * 1_000_000 + b"}"
        pieces = b"".join(b"1\r\n%c\r\n" % one for one in body[:100_000])
        last = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 100_000, body[100_000:])
        assert b" 200 " in _answered(url, _CHUNKED + pieces + last)
        whole = b"POST /models/quick/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
        assert b" 200 " in _answered(url, 3 * (whole % (len(body), body)))
        assert ask(url, 10.0, "quick").status_code == 200


@pytest.mark.long
def test_what_is_no_request_is_a_line_of_the_log_like_any_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing else is written: who reads the log of a server finds one JSON object a line."""
    stream = io.StringIO()
    monkeypatch.setattr("luban.serving.server.AccessLog", lambda: AccessLog(stream))
    runtime = Runtime.from_fitted(small.fitted(small.NUMBER), name="quick")
    upgrade = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with running([runtime], limits=Limits(patience=180.0), access_log=True) as url:
        assert b" 400 " in _answered(url, b"\x16\x03\x01 a greeting of TLS\r\n\r\n")
        assert b" 431 " in _answered(url, b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n")
        assert b" 200 " in _answered(url, upgrade)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(one["code"], one["client"]) for one in lines if one["event"] == "no-request"] == [
        (400, "127.0.0.1"),
        (431, "127.0.0.1"),
    ]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_400_by_every_wire(url: str, text: str) -> None:
    row = json.dumps(ROW).replace("60.0", text)
    tensor = f'{{"name": "age", "shape": [1], "datatype": "FP64", "data": [{text}]}}'
    bodies = {
        "/models/quick/predict": f'{{"rows": [{row}]}}',
        "/v1/models/quick:predict": f'{{"instances": [{row}]}}',
        "/predictions/quick": row,
        "/models/quick/invocations": f'{{"dataframe_records": [{row}]}}',
        "/v2/models/quick/infer": f'{{"inputs": [{tensor}]}}',
    }
    for path, body in bodies.items():
        answer = httpx.post(url + path, content=body, headers={"content-type": "application/json"}, timeout=180)
        assert answer.status_code == 400, (path, answer.text)
