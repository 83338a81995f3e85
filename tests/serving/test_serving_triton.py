"""Triton's own HTTP client against the server, and binary tensors that are wrong."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import small_models as small

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

triton = pytest.importorskip("tritonclient.http", exc_type=ImportError)

HEADER = "Inference-Header-Content-Length"
COUNT = 3
COLUMNS: dict[str, tuple[str, np.ndarray]] = {
    "age": ("FP64", np.array([60.0, np.nan, 20.0])),
    "colour": ("BYTES", np.array([b"red", b"blue", "grün".encode()], dtype=object)),
    "member": ("BOOL", np.array([False, True, False])),
    "since": ("INT64", np.array(["2020-01-01", "1990-05-05", "2000-01-01"], "datetime64[us]").astype(np.int64)),
    "note": ("BYTES", np.array([b"hello", b"", b"x"], dtype=object)),
}
ROWS = [
    {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"},
    {"age": None, "colour": "blue", "member": True, "since": "1990-05-05", "note": ""},
    {"age": 20.0, "colour": "grün", "member": False, "since": "2000-01-01", "note": "x"},
]


@pytest.fixture(scope="module")
def asking(server: str) -> Iterator[Any]:
    client = triton.InferenceServerClient(server.removeprefix("http://"))
    yield client
    client.close()


def inputs(rows: int, *, binary: bool = True, **kinds: str) -> list[Any]:
    made = []
    for name, (usual, values) in COLUMNS.items():
        kind = kinds.get(name, usual)
        one = triton.InferInput(name, [rows, 1], kind)
        part = values[:rows]
        if not binary and kind == "FP64":
            part = np.nan_to_num(part)
        as_type = part if kind in ("BYTES", "BOOL") else part.astype(triton.triton_to_np_dtype(kind))
        one.set_data_from_numpy(as_type.reshape(rows, 1), binary_data=binary)
        made.append(one)
    return made


@pytest.mark.parametrize("rows", [1, COUNT])
@pytest.mark.parametrize("version", ["1", "2"])
def test_binary_tensors_both_ways(asking: Any, rows: int, version: str) -> None:
    found = asking.infer("binary", inputs(rows), model_version=version, request_id="q-1")
    wanted = small.fitted(small.BINARY).predict(ROWS[:rows]).probabilities
    np.testing.assert_allclose(found.as_numpy("probabilities"), wanted, atol=1e-6)
    assert found.as_numpy("prediction").tolist() == [b"high" if one[1] >= 0.4 else b"low" for one in wanted]
    assert found.get_response()["id"] == "q-1"
    sizes = [one["parameters"]["binary_data_size"] for one in found.get_response()["outputs"]]
    assert sizes[1] == rows * 2 * 8


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_binary_and_json_mix(asking: Any, binary_in: bool, binary_out: bool) -> None:
    outputs = [triton.InferRequestedOutput("probabilities", binary_data=binary_out)]
    found = asking.infer("three", inputs(1, binary=binary_in), outputs=outputs)
    wanted = small.fitted(small.THREE).predict(ROWS[:1]).probabilities
    np.testing.assert_allclose(found.as_numpy("probabilities").reshape(1, 3), wanted, atol=1e-6)
    assert found.as_numpy("prediction") is None


@pytest.mark.parametrize("kind", ["FP16", "FP32", "UINT8", "INT16", "INT32", "UINT64"])
def test_binary_numbers_of_every_type(asking: Any, kind: str) -> None:
    found = asking.infer("number", inputs(1, age=kind)).as_numpy("prediction")
    np.testing.assert_allclose(found, small.fitted(small.NUMBER).predict(ROWS[:1]).prediction.to_numpy(), atol=1e-5)


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_requests(asking: Any, compression: str) -> None:
    found = asking.infer("number", inputs(COUNT), request_compression_algorithm=compression)
    assert len(found.as_numpy("prediction")) == COUNT


def test_health_metadata_and_the_repository(asking: Any) -> None:
    assert asking.is_server_live()
    assert asking.is_server_ready()
    assert asking.is_model_ready("binary")
    assert "binary_tensor_data" in asking.get_server_metadata()["extensions"]
    assert asking.get_model_metadata("binary", "1")["inputs"][0] == {
        "name": "age",
        "datatype": "FP64",
        "shape": [-1, 1],
    }
    index = asking.get_model_repository_index()
    assert {"name": "binary", "version": "1", "state": "READY", "reason": ""} in index
    asking.load_model("binary")  # it is there already
    with pytest.raises(triton.InferenceServerException, match="started with"):
        asking.unload_model("three")
    with pytest.raises(triton.InferenceServerException, match="no model"):
        asking.unload_model("nothing")


def test_a_timeout_of_the_client_is_kept(asking: Any) -> None:
    with pytest.raises(triton.InferenceServerException, match="not ready in time"):
        asking.infer("slow", inputs(1), timeout=50_000)


def ask(client: httpx.Client, header: Any, raw: bytes, length: Any = None) -> httpx.Response:
    text = json.dumps(header).encode()
    return client.post(
        "/v2/models/number/infer",
        content=text + raw,
        headers={HEADER: str(len(text) if length is None else length), "content-type": "application/octet-stream"},
    )


def tensor(size: Any, kind: str = "FP64", name: str = "age", **more: Any) -> dict[str, Any]:
    one = {"name": name, "shape": [1, 1], "datatype": kind, "parameters": {"binary_data_size": size}, **more}
    return {"inputs": [one], "parameters": {"missing": "fill"}}


@pytest.mark.parametrize(
    ("header", "raw", "length", "words"),
    [
        (tensor(8), b"", None, "not there"),
        (tensor(4), b"\0" * 4, None, "number of bytes"),
        (tensor(8), b"\0" * 9, None, "belong to no input"),
        (tensor(-1), b"", None, "not there"),
        (tensor("8"), b"\0" * 8, None, "not there"),
        (tensor(8, data=[1.0]), b"\0" * 8, None, "both"),
        (tensor(8), struct.pack("<d", float("inf")), None, "'age'"),
        (tensor(8), b"\0" * 8, 10**6, HEADER),
        (tensor(8), b"\0" * 8, "x", HEADER),
        (tensor(8), b"\0" * 8, -5, HEADER),
        (tensor(2, "BYTES", "colour"), b"\0\0", None, "cut off"),
        (tensor(8, "BYTES", "colour"), struct.pack("<I", 2**31) + b"abcd", None, "cut off"),
        (tensor(8, "BYTES", "colour"), struct.pack("<I", 0) * 2, None, "2 elements"),
        (tensor(5, "BYTES", "colour"), struct.pack("<I", 1) + b"\xff", None, "UTF-8"),
        (tensor(1, "BOOL", "member"), b"\x07", None, "BOOL"),
        (tensor(8, "FP33"), b"\0" * 8, None, "FP33"),
        ({"inputs": [{"name": "age", "parameters": 3}]}, b"", None, "parameters"),
    ],
)
def test_wrong_binary_tensors_are_400(client: httpx.Client, header: Any, raw: bytes, length: Any, words: str) -> None:
    answer = ask(client, header, raw, length)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]


def test_nothing_but_a_number_makes_a_number_and_nan_is_missing(client: httpx.Client) -> None:
    nan = ask(client, tensor(8), struct.pack("<d", float("nan")))
    null = client.post("/v2/models/number/infer", json={"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [None]}], "parameters": {"missing": "fill"}})  # fmt: skip  # noqa: E501
    assert nan.json() == null.json()
