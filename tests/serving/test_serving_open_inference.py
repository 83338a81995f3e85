"""The Open Inference Protocol, version 2, against a server in a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import small_models as small

if TYPE_CHECKING:
    import httpx

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
TYPES = {"age": "FP64", "colour": "BYTES", "member": "BOOL", "since": "BYTES", "note": "BYTES"}


def tensors(*rows: dict[str, Any], **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs for rows; a keyword changes the tensor of that column."""
    made = []
    for name, datatype in TYPES.items():
        data = [row.get(name) for row in rows]
        made.append(
            {"name": name, "shape": [len(rows), 1], "datatype": datatype, "data": data, **changes.get(name, {})}
        )
    return made


def expected(*rows: dict[str, Any], task: Any = small.BINARY) -> np.ndarray:
    return small.fitted(task).predict(list(rows)).probabilities


def infer(client: httpx.Client, inputs: Any, model: str = "binary", **more: Any) -> httpx.Response:
    return client.post(f"/v2/models/{model}/infer", json={"inputs": inputs, **more})


def test_server_metadata_and_health(client: httpx.Client) -> None:
    about = client.get("/v2").json()
    assert about["name"] == "luban"
    assert set(about) == {"name", "version", "extensions"}
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


def test_model_metadata(client: httpx.Client) -> None:
    about = client.get("/v2/models/binary").json()
    assert about["name"] == "binary"
    assert about["versions"] == ["1", "2"]
    assert about["inputs"] == [{"name": name, "datatype": kind, "shape": [-1, 1]} for name, kind in TYPES.items()]
    assert about["outputs"] == [
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
    ]
    assert about["platform"] == "luban_python"  # the version given last
    assert client.get("/v2/models/binary/versions/1").json()["platform"] == "luban_onnx"
    assert client.get("/v2/models/three").json()["outputs"][0]["datatype"] == "INT64"
    assert client.get("/v2/models/number").json()["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [-1]}
    ]
    assert client.get("/v2/models/quantiles").json()["outputs"][1] == {
        "name": "quantiles",
        "datatype": "FP64",
        "shape": [-1, 3],
    }


def test_model_ready(client: httpx.Client) -> None:
    assert client.get("/v2/models/binary/ready").json() == {"name": "binary", "ready": True}
    assert client.get("/v2/models/binary/versions/2/ready").status_code == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2/models/binery", "Did you mean: binary"),
        ("/v2/models/binery/ready", "Did you mean: binary"),
        ("/v2/models/binary/versions/3", "no version '3'"),
        ("/v2/models/binary/versions/x/ready", "Served: 1, 2"),
        ("/v2/nothing", "no route"),
    ],
)
def test_what_is_not_there_is_404_with_a_hint(client: httpx.Client, path: str, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}
    assert words in answer.json()["error"]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("count", [1, 3])
def test_both_engines_answer_as_the_model_does(client: httpx.Client, version: str, count: int) -> None:
    rows = [ROW, {**ROW, "age": None, "colour": "blue"}, {**ROW, "since": None, "member": True}][:count]
    body = {"id": "q-7", "inputs": tensors(*rows)}
    answer = client.post(f"/v2/models/binary/versions/{version}/infer", json=body).json()
    assert answer["model_name"] == "binary"
    assert answer["model_version"] == version
    assert answer["id"] == "q-7"
    label, probabilities = answer["outputs"]
    assert probabilities["shape"] == [count, 2]
    assert probabilities["datatype"] == "FP64"
    np.testing.assert_allclose(np.reshape(probabilities["data"], (count, 2)), expected(*rows), atol=1e-6)
    assert label == {
        "name": "prediction",
        "shape": [count],
        "datatype": "BYTES",
        "data": ["high" if one[1] >= 0.4 else "low" for one in expected(*rows)],
    }


def test_without_an_id_none_is_answered(client: httpx.Client) -> None:
    assert "id" not in infer(client, tensors(ROW)).json()


def test_outputs_are_selected_in_the_order_asked_for(client: httpx.Client) -> None:
    found = infer(client, tensors(ROW), outputs=[{"name": "probabilities"}]).json()["outputs"]
    assert [one["name"] for one in found] == ["probabilities"]
    found = infer(client, tensors(ROW), outputs=[{"name": "probabilities"}, {"name": "prediction"}]).json()["outputs"]
    assert [one["name"] for one in found] == ["probabilities", "prediction"]


def test_no_rows_are_no_predictions(client: httpx.Client) -> None:
    for model in ("binary", "number", "quantiles", "three"):
        found = infer(client, tensors(), model).json()["outputs"]
        assert all(one["data"] == [] and one["shape"][0] == 0 for one in found)


def test_data_may_be_nested_or_flat_and_shapes_short(client: httpx.Client) -> None:
    flat = infer(client, tensors(ROW, ROW)).json()
    nested = tensors(ROW, ROW)
    for one in nested:
        one["data"] = [[value] for value in one["data"]]
    assert infer(client, nested).json() == flat
    short = tensors(ROW, ROW)
    for one in short:
        one["shape"] = [2]
    assert infer(client, short).json() == flat


@pytest.mark.parametrize(
    "datatype", ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"]
)
@pytest.mark.parametrize("count", [1, 2])
def test_every_number_type_is_read(client: httpx.Client, datatype: str, count: int) -> None:
    rows = [{**ROW, "age": 60}] * count
    found = infer(client, tensors(*rows, age={"datatype": datatype})).json()["outputs"][1]["data"]
    np.testing.assert_allclose(np.reshape(found, (count, 2)), expected(*rows), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_dates_may_be_microseconds_and_booleans_words(client: httpx.Client, count: int) -> None:
    micros = int(np.datetime64("2020-01-01", "us").astype(int))
    same = infer(client, tensors(*[ROW] * count)).json()["outputs"]
    changes = {
        "since": {"datatype": "INT64", "data": [micros] * count},
        "member": {"datatype": "BYTES", "data": ["false"] * count},
    }
    assert infer(client, tensors(*[ROW] * count, **changes)).json()["outputs"] == same


@pytest.mark.parametrize("count", [1, 2])
def test_a_missing_column_is_an_error_or_missing_values(client: httpx.Client, count: int) -> None:
    inputs = [one for one in tensors(*[ROW] * count) if one["name"] != "colour"]
    refused = infer(client, inputs)
    assert refused.status_code == 400
    assert "'colour' is missing" in refused.json()["error"]
    filled = infer(client, inputs, parameters={"missing": "fill"}).json()["outputs"][1]["data"]
    np.testing.assert_allclose(np.reshape(filled, (count, 2)), expected(*[{**ROW, "colour": None}] * count), atol=1e-6)


def test_a_category_that_was_never_seen_is_answered(client: httpx.Client) -> None:
    assert infer(client, tensors({**ROW, "colour": "紫"})).status_code == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": {"datatype": "FP33"}}, ["'age'", "FP33"]),
        ({"age": {"datatype": None}}, ["'age'"]),
        ({"age": {"datatype": "BYTES"}}, ["'age'", "number", "Send FP64"]),
        ({"age": {"data": [1.0, "x"]}}, ["'age'", "row 2"]),
        ({"age": {"data": [1.0, True]}}, ["'age'", "row 2"]),
        ({"age": {"datatype": "INT64", "data": [1, 1.5]}}, ["'age'", "INT64", "row 2", "1.5"]),
        ({"age": {"datatype": "UINT8", "data": [255, 256]}}, ["'age'", "UINT8", "row 2", "256"]),
        ({"age": {"datatype": "UINT16", "data": [-1, 2]}}, ["'age'", "row 1", "-1"]),
        ({"age": {"datatype": "FP16", "data": [1, 70000]}}, ["'age'", "FP16", "row 2"]),
        ({"age": {"data": [10**400, 1]}}, ["'age'", "row 1"]),
        ({"colour": {"data": ["red", 3]}}, ["'colour'", "row 2"]),
        ({"colour": {"data": ["red", "\ud800"]}}, ["'colour'", "row 2"]),
        ({"member": {"data": [True, 1]}}, ["'member'", "row 2"]),
        ({"member": {"datatype": "BYTES", "data": ["true", "perhaps"]}}, ["'member'", "perhaps", "row 2"]),
        ({"since": {"data": ["2020-01-01", "soon"]}}, ["'since'", "soon", "row 2"]),
        ({"since": {"datatype": "FP64"}}, ["'since'", "date"]),
        ({"age": {"shape": [2, 2]}}, ["'age'", "shape"]),
        ({"age": {"shape": [3, 1]}}, ["'age'", "2 values"]),
        ({"age": {"shape": [-1, 1]}}, ["'age'", "shape"]),
        ({"age": {"shape": "x"}}, ["'age'", "shape"]),
        ({"age": {"shape": [True, 1]}}, ["'age'", "shape"]),
        ({"age": {"shape": []}}, ["'age'", "shape"]),
        ({"age": {"data": 1}}, ["'age'", "list"]),
        ({"age": {"data": [[1], [1, 2]]}}, ["'age'", "row 2"]),
        ({"age": {"data": [[[1]], [[1]]]}}, ["'age'", "row 1"]),
        ({"age": {"shape": [1, 1], "data": [1]}}, ["'age'", "numbers of rows"]),
        ({"age": {"name": "aged"}}, ["'aged'", "Did you mean: age"]),
        ({"age": {"name": "colour", "datatype": "BYTES", "data": ["a", "b"]}}, ["'colour'", "twice"]),
        ({"age": {"name": 3}}, ["name"]),
    ],
)
def test_errors_name_the_column_and_the_row(client: httpx.Client, change: Any, words: list[str]) -> None:
    # httpx would refuse to encode half a character; json spells it.
    body = json.dumps({"inputs": tensors(ROW, ROW, **change)})
    answer = client.post("/v2/models/binary/infer", content=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}
    for word in words:
        assert word in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"inputs": NaN}', "NaN"),
        (b'{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [Infinity]}]}', "Infinity"),
        (b'{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [1e999]}]}', "'age'"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b'{"inputs": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b"{}", "list of inputs"),
        (b'{"inputs": {}}', "list of inputs"),
        (b'{"inputs": []}', "list of inputs"),
        (b'{"inputs": [1]}', "name"),
        (b'{"inputs": [{}]}', "name"),
        (b'{"id": 5, "inputs": []}', "id"),
        (b'{"parameters": [1], "inputs": []}', "parameters"),
        (b'{"parameters": {"missing": 1}, "inputs": [1]}', "missing"),
        (b'{"outputs": {}, "inputs": []}', "outputs"),
        (b'{"outputs": [1], "inputs": []}', "outputs"),
        (b'{"outputs": [{"name": "probability"}], "inputs": []}', "Did you mean: probabilities"),
    ],
)
def test_malformed_bodies_are_400(client: httpx.Client, body: bytes, words: str) -> None:
    answer = client.post("/v2/models/binary/infer", content=body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]


def test_bodies_over_the_limit_are_413_however_they_are_sent(client: httpx.Client) -> None:
    assert client.post("/v2/models/binary/infer", content=b" " * 1_000_001).status_code == 413
    pieces = (b" " * 100_000 for _ in range(11))  # no Content-Length
    answer = client.post("/v2/models/binary/infer", content=pieces)
    assert answer.status_code == 413
    assert "1000000 bytes" in answer.json()["error"]
    assert client.get("/v2/health/live").status_code == 200


def test_a_wrong_method_is_405(client: httpx.Client) -> None:
    answer = client.get("/v2/models/binary/infer")
    assert answer.status_code == 405
    assert "error" in answer.json()


def test_a_defect_is_500_and_tells_the_client_nothing(client: httpx.Client) -> None:
    answer = infer(client, tensors(ROW), "broken")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"}
    assert "secret" not in answer.text
    assert "Zero" not in answer.text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(["name", "shape", "datatype", "data", "parameters"])


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(place=st.integers(0, 4), field=FIELDS, value=VALUES)
def test_no_request_makes_the_server_fail(client: httpx.Client, place: int, field: str, value: Any) -> None:
    """Whatever stands in one field of a good request, the answer is 200 or 400 with an error."""
    inputs = tensors(ROW, ROW)
    inputs[place][field] = value
    answer = client.post("/v2/models/binary/versions/1/infer", content=json.dumps({"inputs": inputs}))
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 200 or answer.json()["error"]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_body_makes_the_server_fail(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v2/models/binary/infer", content=body)
    assert answer.status_code == 400, answer.text
