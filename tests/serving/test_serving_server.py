"""The server as a process: stopping, logging, metrics, limits, many clients at once, and our own wire."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from served_small_models import server_process

import small_models as small
from luban.core.errors import InputError, Refused, Unavailable
from luban.export.onnx.build import build
from luban.serving.hosts import is_loopback
from luban.serving.models import Models
from luban.serving.runtime import Runtime
from luban.serving.server import running, serve
from waiting import until

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}


def runtime(task: Any = small.BINARY, **more: Any) -> Runtime:
    fitted = small.fitted(task)
    return Runtime.from_fitted(fitted, build(fitted), **more)


# --- rows as objects ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
def test_records_are_answered_by_label(client: httpx.Client, count: int) -> None:
    answer = client.post("/models/binary/versions/1/predict", json={"rows": [ROW] * count}).json()
    probability = small.fitted(small.BINARY).predict(ROW).probabilities[0]
    assert answer["model"] == "binary/1"
    assert answer["notes"] == []
    assert len(answer["predictions"]) == count
    for one in answer["predictions"]:
        assert one["prediction"] == "high"
        assert one["probabilities"] == {
            "low": pytest.approx(probability[0], abs=1e-6),
            "high": pytest.approx(probability[1], abs=1e-6),
        }


def test_records_of_other_tasks(client: httpx.Client) -> None:
    for count in (1, 3):
        number = client.post("/models/number/predict", json={"rows": [ROW] * count}).json()["predictions"]
        assert [set(one) for one in number] == [{"prediction"}] * count
        levels = client.post("/models/quantiles/predict", json={"rows": [ROW] * count}).json()["predictions"]
        assert [set(one["quantiles"]) for one in levels] == [{"0.1", "0.5", "0.9"}] * count
        assert all(one["prediction"] == one["quantiles"]["0.5"] for one in levels)
    assert client.post("/models/three/predict", json={"rows": []}).json()["predictions"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"rows": {}}, ["list of rows"]),
        ({}, ["list of rows"]),
        ({"rows": [ROW, 5]}, ["row 2"]),
        ({"rows": [{**ROW, "age": "old"}]}, ["'age'", "'old'"]),
        ({"rows": [ROW, {**ROW, "age": "old"}]}, ["'age'", "'old'", "row 2"]),
        ({"rows": [{**ROW, "age": [1]}]}, ["'age'", "nested", "row 1"]),
        ({"rows": [{**ROW, "age": 10**400}]}, ["'age'", "row 1"]),
        ({"rows": [{**ROW, "colour": "\ud800"}]}, ["'colour'", "row 1"]),
        ({"rows": [{**ROW, "\ud800": 1}]}, ["row 1"]),
        ({"rows": [{"age": 5}]}, ["'colour' is missing"]),
        ({"rows": [ROW], "missing": 5}, ["missing"]),
    ],
)
def test_bad_records_name_the_column(client: httpx.Client, body: Any, words: list[str]) -> None:
    answer = client.post("/models/binary/versions/1/predict", content=json.dumps(body))
    assert answer.status_code == 400, answer.text
    for word in words:
        assert word in answer.json()["error"]


def test_an_infinite_number_is_refused_by_column(client: httpx.Client) -> None:
    body = json.dumps({"rows": [ROW]}).replace("60.0", "1e999")
    answer = client.post("/models/binary/versions/1/predict", content=body)
    assert answer.status_code == 400
    assert "'age'" in answer.json()["error"]


# --- around the wires -----------------------------------------------------------------------------


def test_the_landing_page_lists_models_and_routes(client: httpx.Client) -> None:
    about = client.get("/").json()
    assert "binary/2" in about["models"]
    assert {"/metrics", "/v2/models/{model}/infer", "/models/{model}/predict"} <= set(about["routes"])


def test_metrics_count_by_model_version_route_and_code(client: httpx.Client) -> None:
    def value(name: str, **labels: str) -> float:
        for line in client.get("/metrics").text.splitlines():
            if line.startswith(name + "{") and all(f'{key}="{one}"' in line for key, one in labels.items()):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    labels = {"model": "three", "version": "1", "route": "/models/{model}/versions/{version}/predict"}
    before = value("luban_requests_total", code="200", **labels)
    rows = value("luban_predicted_rows_total", model="three", version="1")
    path = "/models/three/versions/1/predict"
    assert client.post(path, json={"rows": [ROW] * 3}).status_code == 200
    assert client.post(path, json={"rows": 3}).status_code == 400
    assert value("luban_requests_total", code="200", **labels) == before + 1
    assert value("luban_requests_total", code="400", **labels) >= 1
    assert value("luban_predicted_rows_total", model="three", version="1") == rows + 3
    assert value("luban_request_seconds_count", **labels) >= 2
    assert value("luban_request_body_bytes_total", **labels) > 100
    assert value("luban_model_info", model="binary", version="2", engine="python", task="binary") == 1


def test_names_that_strangers_choose_become_no_labels(client: httpx.Client) -> None:
    client.get("/v2/models/no-such-model-42")
    client.get("/nowhere/at/all-42")
    text = client.get("/metrics").text
    assert "-42" not in text
    assert 'route="unmatched"' in text


def test_a_name_that_is_not_loopbacks_is_not_answered(client: httpx.Client) -> None:
    """A page that resolves its own name to 127.0.0.1 gets nothing (DNS rebinding)."""
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1].evil.example"):
        assert client.get("/v2", headers={"host": host}).status_code == 421, host
    for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
        assert client.get("/v2", headers={"host": host}).status_code == 200, host


def test_a_host_that_others_reach_must_be_asked_for() -> None:
    with pytest.raises(Refused, match=r"0\.0\.0\.0"):
        serve([runtime()], "0.0.0.0", 0)
    assert not is_loopback("example.org")
    assert is_loopback("::1")


def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Unavailable, match="Choose another port"):
            serve([runtime()], port=taken.getsockname()[1])


def test_no_model_or_one_twice_is_refused() -> None:
    with pytest.raises(InputError, match="no model"):
        serve([])
    with pytest.raises(InputError, match="twice"):
        serve([runtime(name="a"), runtime(name="a")])


def test_a_server_in_a_thread_stops_with_its_context() -> None:
    with running([runtime(name="here", version=7)]) as url:
        assert httpx.get(f"{url}/v2/models/here", timeout=180).json()["versions"] == ["7"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/v2", timeout=180)


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_are_answered_when_a_signal_comes(number: int, tmp_path: Path) -> None:
    """Two wait for a model that answers only after the server has stopped to take connections."""
    held = tmp_path / "answer now"
    with server_process("--held", str(held)) as (process, url), ThreadPoolExecutor(2) as pool:
        body = {"rows": [{**ROW, "age": 61.0}]}
        asked = [pool.submit(httpx.post, f"{url}/models/held/predict", json=body, timeout=180) for _ in range(2)]
        until(lambda: "luban_requests_in_flight 3.0" in httpx.get(f"{url}/metrics", timeout=180).text)
        process.send_signal(number)
        until(lambda: _takes_nobody(url))
        held.touch()
        assert [one.result().status_code for one in asked] == [200, 200]
        out, log = process.communicate(timeout=180)
        assert process.returncode == 0
        assert out.startswith("answered ")
        assert int(out.split()[1]) >= 3
        lines = [json.loads(line) for line in log.splitlines()]
        assert [lines[0]["event"], lines[-1]["event"]] == ["start", "stop"]


def _takes_nobody(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=180).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_log_is_one_json_object_a_request() -> None:
    with server_process() as (process, url):
        httpx.post(f"{url}/models/binary/versions/1/predict", json={"rows": [ROW, ROW]}, timeout=180)
        httpx.get(f'{url}/x"%0A{{%22', timeout=180)
        httpx.post(f"{url}/models/broken/predict", json={"rows": [ROW]}, timeout=180)
        process.terminate()
        _, log = process.communicate(timeout=180)
    lines = [json.loads(line) for line in log.splitlines()]
    asked = [one for one in lines if one["event"] == "request"]
    assert [one["code"] for one in asked] == [200, 404, 500]
    first = asked[0]
    assert (first["model"], first["version"], first["rows"]) == ("binary", "1", 2)
    assert first["route"] == "/models/{model}/versions/{version}/predict"
    assert first["seconds"] > 0
    assert first["received"] > 100
    fault = next(one for one in lines if one["event"] == "fault")
    assert "a secret detail" in fault["error"]


def test_a_client_that_leaves_half_way_harms_nobody() -> None:
    with server_process() as (_, url):
        host, port = url.removeprefix("http://").split(":")
        for _ in range(3):
            with socket.create_connection((host, int(port))) as leaving:
                leaving.sendall(
                    b"POST /models/binary/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
                )
        assert httpx.get(f"{url}/v2/health/ready", timeout=180).status_code == 200
        until(lambda: 'code="499"' in httpx.get(f"{url}/metrics", timeout=180).text)


# --- many at once ---------------------------------------------------------------------------------


def test_many_clients_get_each_their_own_answer(server: str) -> None:
    """Sixteen clients ask for different rows, one and several, through both engines."""
    fitted = small.fitted(small.BINARY)

    def ask(number: int) -> None:
        rows = [{**ROW, "age": float(number + step)} for step in range(1 + number % 3)]
        expected = fitted.predict(rows).probabilities[:, 1]
        with httpx.Client(base_url=server, timeout=180) as client:
            for turn in range(6):
                path = f"/models/binary/versions/{1 + turn % 2}/predict"
                answer = client.post(path, json={"rows": rows}).json()
                found = [one["probabilities"]["high"] for one in answer["predictions"]]
                np.testing.assert_allclose(found, expected, atol=1e-6)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))


def test_the_loop_answers_while_a_model_computes() -> None:
    """A model that computes does not keep the server from saying that it lives."""
    began, released = threading.Event(), threading.Event()

    @dataclass(frozen=True, kw_only=True)
    class Waits(small.ByHand):
        def predict(self, rows: Any) -> Any:
            if 61.0 in rows["age"].to_pylist():
                began.set()
                released.wait(180)
            return super().predict(rows)

    waits = Runtime.from_fitted(small.fitted(small.NUMBER, Waits(task=small.NUMBER)), name="waits")
    with running([waits]) as url, ThreadPoolExecutor(1) as pool:
        body = {"rows": [{**ROW, "age": 61.0}]}
        slow = pool.submit(httpx.post, f"{url}/models/waits/predict", json=body, timeout=180)
        assert began.wait(180)
        for _ in range(5):
            assert httpx.get(f"{url}/v2/health/live", timeout=180).status_code == 200
        released.set()
        assert slow.result().status_code == 200


def test_serving_imports_no_runtime_before_it_is_needed() -> None:
    """`import luban.serving.models` must not load ONNX Runtime or a web framework."""
    code = (
        "import sys, luban.serving.models, luban.export; print('onnxruntime' in sys.modules, 'uvicorn' in sys.modules)"
    )
    done = subprocess.run([__import__("sys").executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_server_loads_no_data_frames_until_somebody_asks_for_one() -> None:
    """`luban serve` without pandas and onnx, which are a third of its memory; pyarrow makes frames all the same.

    Nor does it load pyarrow's clients of object stores, and writes Parquet all the same.
    """
    code = (
        "import io, sys; from luban.serving.light import give_back, without_object_stores, without_pandas\n"
        "without_pandas(); without_object_stores(); give_back()\n"
        "import pyarrow.parquet as pq\n"
        "import pyarrow as pa, luban.serving.deployed, luban.serving.server, luban.operations.loading\n"
        "from luban.serving.runtime import Runtime\n"
        "from luban.data.conform import conform; from luban.core.schema import Column\n"
        "conform([{'x': 1}, {'x': 2}], [Column(name='x', kind='number')])\n"
        "file, table = io.BytesIO(), pa.table({'x': [1, 2]}); pq.write_table(table, file)\n"
        "print(*(one in sys.modules for one in ('pandas', 'onnx', 'pyarrow._s3fs')), pq.read_table(file) == table)\n"
        "print(len(table.to_pandas()), pa.fs.LocalFileSystem.__name__)"
    )
    done = subprocess.run([__import__("sys").executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", "False", "True", "2", "LocalFileSystem"]


def test_versions_of_a_model_are_found() -> None:
    models = Models([runtime(name="a", version=1), runtime(name="a", version=2)])
    assert models.find("a").version == 2
    assert models.find("a", "1").version == 1
    models.close()
