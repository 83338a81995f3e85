"""TensorFlow Serving, TorchServe and MLflow by their documented bodies, MLflow by its own client too."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pandas as pd
import pytest

import media_models as media
import small_models as small
from luban.export.onnx.build import build
from luban.serving.runtime import Runtime
from luban.serving.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
OTHER = {**ROW, "age": 20.0, "colour": None}


def expected(*rows: dict[str, Any]) -> list[list[float]]:
    found: list[list[float]] = small.fitted(small.BINARY).predict(list(rows)).probabilities.tolist()
    return found


@pytest.fixture(scope="module")
def single() -> Iterator[httpx.Client]:
    """Return a client of a server of one name."""
    fitted = small.fitted(small.BINARY)
    runtimes = [Runtime.from_fitted(fitted, build(fitted), name="one", version=4)]
    with running(runtimes) as url, httpx.Client(base_url=url, timeout=180) as client:
        yield client


# --- TensorFlow Serving ---------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[ROW], [ROW, OTHER]])
def test_tensorflow_rows_and_columns(client: httpx.Client, rows: list[dict[str, Any]]) -> None:
    path = "/v1/models/binary/versions/1:predict"
    found = client.post(path, json={"signature_name": "serving_default", "instances": rows}).json()["predictions"]
    for one, wanted in zip(found, expected(*rows), strict=True):
        assert one["prediction"] == ("high" if wanted[1] >= 0.4 else "low")
        assert one["probabilities"] == pytest.approx(wanted, abs=1e-6)
    lists = [list(row.values()) for row in rows]
    assert client.post(path, json={"instances": lists}).json()["predictions"] == found
    wrapped = [{name: [value] for name, value in row.items() if not isinstance(value, str)} | {k: v for k, v in row.items() if isinstance(v, str)} for row in rows]  # fmt: skip  # noqa: E501
    assert client.post(path, json={"instances": wrapped}).json()["predictions"] == found
    columns = {name: [row[name] for row in rows] for name in ROW}
    outputs = client.post(path, json={"inputs": columns}).json()["outputs"]
    assert outputs["prediction"] == [one["prediction"] for one in found]
    assert outputs["probabilities"] == [one["probabilities"] for one in found]


def test_tensorflow_single_outputs_are_plain(client: httpx.Client) -> None:
    found = client.post("/v1/models/number:predict", json={"instances": [ROW, ROW]}).json()["predictions"]
    assert all(isinstance(one, float) for one in found)
    assert client.post("/v1/models/number:predict", json={"inputs": [ROW, ROW]}).json() == {"outputs": found}
    assert client.post("/v1/models/number:regress", json={"examples": [ROW, ROW]}).json() == {"results": found}


def test_tensorflow_classify(client: httpx.Client) -> None:
    context = {name: ROW[name] for name in ("member", "since", "note")}
    examples = [{"age": 60.0, "colour": "red"}, {"age": 20.0, "colour": None}]
    for chosen in (examples, examples[:1]):
        body = {"context": context, "examples": chosen}
        found = client.post("/v1/models/binary/versions/1:classify", json=body).json()["results"]
        assert [[label for label, _ in row] for row in found] == [["low", "high"]] * len(chosen)
        for row, wanted in zip(found, expected(*({**context, **one} for one in chosen)), strict=True):
            assert [score for _, score in row] == pytest.approx(wanted, abs=1e-6)


def test_tensorflow_status_metadata_and_labels(client: httpx.Client) -> None:
    status = client.get("/v1/models/binary").json()["model_version_status"]
    assert [one["version"] for one in status] == ["1", "2"]
    assert status[0]["state"] == "AVAILABLE"
    assert status[0]["status"] == {"error_code": "OK", "error_message": ""}
    found = client.get("/v1/models/binary/versions/1/metadata").json()
    assert found["model_spec"] == {"name": "binary", "signature_name": "", "version": "1"}
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["age"]["dtype"] == "DT_DOUBLE"
    assert signature["outputs"]["probabilities"]["tensor_shape"]["dim"][1]["size"] == "2"
    assert client.get("/v1/models/binary/labels/champion").status_code == 200
    assert client.post("/v1/models/binary/labels/champion:predict", json={"instances": [ROW]}).status_code == 200
    assert client.get("/v1/models/binary/labels/stable").status_code == 404


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        ("predict", {"instances": [ROW], "inputs": [ROW]}, "either instances or inputs"),
        ("predict", {}, "either"),
        ("predict", {"instances": ROW}, "list of rows"),
        ("predict", {"instances": [[1, 2]]}, "2 values"),
        ("predict", {"instances": [{**ROW, "age": "old"}]}, "'age'"),
        ("predict", {"inputs": {"age": [1], "colour": []}}, "different lengths"),
        ("predict", {"inputs": {"age": 1}}, "list"),
        ("predict", {"instances": [ROW], "signature_name": "other"}, "signature"),
        ("predict", {"instances": [ROW], "signature_name": ["x"]}, "signature"),
        ("predict", {"instances": [{**ROW, "colour": {"b64": "@"}}]}, "'colour'"),
        ("predict", {"instances": [{**ROW, "colour": {"b64": "/w=="}}]}, "'colour'"),
        ("regress", {"examples": [ROW]}, "cannot regress"),
        ("classify", {"examples": ROW}, "examples"),
        ("classify", {"examples": [3]}, "object"),
    ],
)
def test_tensorflow_mistakes_are_400(client: httpx.Client, verb: str, body: Any, words: str) -> None:
    answer = client.post(f"/v1/models/binary/versions/1:{verb}", json=body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]


def test_tensorflow_b64_is_text_or_a_picture(client: httpx.Client) -> None:
    red = {"b64": base64.b64encode(b"red").decode()}
    path = "/v1/models/binary/versions/1:predict"
    found = client.post(path, json={"instances": [{**ROW, "colour": red}]}).json()
    assert found == client.post(path, json={"instances": [ROW]}).json()
    fitted = media.fitted()
    with running([Runtime.from_fitted(fitted, build(fitted), name="m")]) as url:
        for content in (media.picture(250), media.picture(3)):
            row = {"photo": {"b64": media.plain(content)}, "sound": None, "age": 3.0}
            answer = httpx.post(f"{url}/v1/models/m:predict", json={"instances": [row]}, timeout=180).json()
            wanted = media.fitted().predict([{"photo": content, "sound": None, "age": 3.0}]).probabilities[0, 1]
            assert answer["predictions"][0]["probabilities"][1] == pytest.approx(float(wanted), abs=1e-5)


# --- TorchServe -----------------------------------------------------------------------------------


def test_torchserve_predictions(client: httpx.Client) -> None:
    assert client.get("/ping").json() == {"status": "Healthy"}
    one = client.post("/predictions/binary/1", json=ROW).json()
    assert one["prediction"] == "high"
    assert list(one["probabilities"].values()) == pytest.approx(expected(ROW)[0], abs=1e-6)
    assert client.post("/predictions/binary/1", json={"instances": [ROW, ROW]}).json() == {"predictions": [one, one]}
    assert client.post("/predictions/binary/1", json={"data": [ROW]}).json() == [one]
    form = {name: "" if value is None else str(value).lower() for name, value in ROW.items()}
    assert (
        client.post("/predictions/binary/1", files={name: (None, value) for name, value in form.items()}).json() == one
    )


def test_torchserve_errors_have_its_form(client: httpx.Client) -> None:
    answer = client.post("/predictions/nothing", json=ROW)
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "type", "message"}
    answer = client.post("/predictions/binary/1", json={**ROW, "age": "old"})
    assert (answer.status_code, answer.json()["type"]) == (400, "BadInputException")
    answer = client.post("/explanations/binary/1", json=ROW)
    assert answer.status_code == 422
    assert "explain" in answer.json()["message"]


def test_torchserve_management_maps_or_refuses(client: httpx.Client) -> None:
    assert {"modelName": "binary", "modelUrl": "binary"} in client.get("/models").json()["models"]
    assert client.get("/models/binary/1").json()[0]["modelVersion"] == "1"
    assert [one["modelVersion"] for one in client.get("/models/binary/all").json()] == ["1", "2"]
    first = client.get("/models?limit=1").json()
    rest = client.get(f"/models?next_page_token={first['nextPageToken']}").json()
    assert len(first["models"]) == 1
    assert first["models"] + rest["models"] == client.get("/models").json()["models"]
    assert "nextPageToken" not in rest
    for wrong in ("limit=0", "limit=-1", "limit=x", "next_page_token=-2", "next_page_token=1e3"):
        assert client.get(f"/models?{wrong}").status_code == 400, wrong
    answer = client.put("/models/binary?min_worker=2")
    assert (answer.status_code, answer.json()) == (202, {"status": "Processing worker updates..."})
    answer = client.put("/models/binary/1?min_worker=1&max_worker=4&synchronous=true")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "Workers scaled to 1 for model: binary, version: 1"},
    )
    for path, status in (
        ("binary?min_worker=3", 422),  # there are two threads
        ("binary?min_worker=0", 422),
        ("binary?max_worker=1", 422),
        ("binary?min_worker=2&max_worker=1", 400),
        ("binary?min_worker=many", 400),
        ("binary?synchronous=perhaps", 400),
        ("nothing?min_worker=1", 404),
        ("binary/9?min_worker=1", 404),
    ):
        assert client.put(f"/models/{path}").status_code == status, path
    assert client.delete("/models/binary/2").status_code == 403  # it answers where no version is asked for
    assert client.delete("/models/three").status_code == 422  # these tests' server has no workspace
    assert client.put("/models/binary/1/set-default").status_code == 422
    for url in ("https://evil.example/m.mar", "../secret", "/etc/passwd", "a/../b", "file:///x", "..", ""):
        answer = client.post("/models", params={"url": url})
        assert answer.status_code == 400, url
    assert client.post("/models", params={"url": "nothing"}).status_code == 404


# --- MLflow ---------------------------------------------------------------------------------------


def test_mlflow_bodies(single: httpx.Client) -> None:
    rows = [ROW, OTHER]
    columns = list(ROW)
    frame = {"columns": columns, "index": [0, 1], "data": [list(row.values()) for row in rows]}
    wanted = ["high" if one[1] >= 0.5 else "low" for one in expected(*rows)]
    for body in (
        {"dataframe_split": frame},
        {"dataframe_records": rows},
        {"instances": rows},
        {"inputs": rows},
        {"inputs": {name: [row[name] for row in rows] for name in columns}},
    ):
        assert single.post("/invocations", json=body).json() == {"predictions": wanted}, body
    probabilities = single.post(
        "/invocations", json={"dataframe_records": rows, "params": {"predict_method": "predict_proba"}}
    ).json()["predictions"]
    assert probabilities == [pytest.approx(one, abs=1e-6) for one in expected(*rows)]
    csv = pd.DataFrame(rows).to_csv(index=False)
    answer = single.post("/invocations", content=csv, headers={"content-type": "text/csv; charset=utf-8"})
    assert answer.json() == {"predictions": wanted}
    assert single.get("/health").status_code == single.get("/ping").status_code == 200
    assert single.get("/version").text


def test_mlflows_own_client_is_answered(single: httpx.Client) -> None:
    scoring = pytest.importorskip("mlflow.pyfunc.scoring_server.client")
    client = scoring.ScoringServerClient(single.base_url.host, single.base_url.port)
    client.wait_server_ready(timeout=120)
    frame = pd.DataFrame([ROW, ROW])
    found = client.invoke(frame)
    assert list(found.get_predictions()[0]) == ["high", "high"]
    found = client.invoke(frame, params={"predict_method": "predict_proba"})
    assert found.get_predictions().shape == (2, 2)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"dataframe_records": [ROW], "instances": [ROW]}, "exactly one"),
        ({}, "exactly one"),
        ({"dataframe_records": [ROW], "other": 1}, "other"),
        ({"dataframe_records": [ROW], "params": 5}, "params"),
        ({"dataframe_records": [ROW], "params": {"predict_method": "fit"}}, "predict_method"),
        ({"dataframe_records": ROW}, "list of objects"),
        ({"dataframe_split": {"columns": ["age"], "data": [[1, 2]]}}, "row 1"),
        ({"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}}, "twice"),
        ({"dataframe_split": {"columns": ["age"], "data": [[1]]}}, "is missing"),
        ({"inputs": {}}, "no columns"),
        ({"dataframe_records": [{**ROW, "age": [1, 2]}]}, "nested"),
    ],
)
def test_mlflow_mistakes_have_its_form(single: httpx.Client, body: Any, words: str) -> None:
    answer = single.post("/invocations", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert words in answer.json()["message"]


def test_mlflow_forms_that_are_not_read(client: httpx.Client, single: httpx.Client) -> None:
    assert single.post("/invocations", content=b"x", headers={"content-type": "text/html"}).status_code == 415
    for body in (b"", b"\xff\xfe\x00", b"a,a\n1,2\n", b'a,b\n"1'):
        answer = single.post("/invocations", content=body, headers={"content-type": "text/csv"})
        assert answer.status_code == 400, body
    text = json.dumps({"dataframe_records": [ROW]}).replace("60.0", "NaN")
    assert single.post("/invocations", content=text, headers={"content-type": "application/json"}).status_code == 400
    answer = client.post("/invocations", json={"instances": [ROW]})  # several models
    assert "/models/NAME/invocations" in answer.json()["message"]
    assert client.post("/models/binary/versions/1/invocations", json={"instances": [ROW]}).status_code == 200


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc", "%2e%2e", "a%00b", "é" * 300, "*", "{x}"])
def test_names_in_paths_reach_no_file(client: httpx.Client, name: str) -> None:
    for path in ("/v2/models/{}", "/v1/models/{}", "/models/{}", "/v1/models/{}/metadata", "/v2/models/{}/ready"):
        assert client.get(path.format(name)).status_code in (404, 405), path
    for path in ("/predictions/{}", "/v2/repository/models/{}/load", "/models/{}/invocations", "/v1/models/{}:predict"):
        assert client.post(path.format(name), json={}).status_code in (404, 405), path


# --- what all say in their own words --------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "fill"),
    [
        ("/models/binary/predict", {"rows": [{"age": 1.0}]}, '"missing": "fill" beside the rows'),
        ("/models/binary/predict", {"rows": [{"age": 1.0}] * 2}, '"missing": "fill" beside the rows'),
        (
            "/v2/models/binary/infer",
            {"inputs": [{"name": "age", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]},
            '"parameters": {"missing": "fill"}',
        ),
        ("/v1/models/binary:predict", {"instances": [{"age": 1.0}]}, None),
        ("/models/binary/invocations", {"dataframe_records": [{"age": 1.0}]}, None),
    ],
)
def test_a_missing_column_is_told_in_words_of_the_request(
    client: httpx.Client, path: str, body: dict[str, Any], fill: str | None
) -> None:
    """What the protocol takes, and never an option of the command line."""
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    told = answer.text.replace("\\", "")
    assert "is missing" in told
    assert "--missing" not in told
    assert ("fill" in told) is (fill is not None)
    assert fill is None or fill in told
    if fill is not None:
        assert client.post(path, json=body | (json.loads(f"{{{fill.removesuffix(' beside the rows')}}}"))).is_success
