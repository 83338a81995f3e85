"""Pictures and sounds over the network: as content in JSON, in tensors and in forms; never as a path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

import media_models as media
from luban.export.onnx.build import build
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted
from luban.serving.runtime import Runtime
from luban.serving.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from luban.core.task import Task

NO_TEXT = b'--b\r\nContent-Disposition: form-data; name="age"\r\n\r\n\xff\xfe\r\n--b--'
BRIGHT, DARK, LOUD = media.picture(250), media.picture(3), media.sound(0.5)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    fitted = media.fitted()
    runtimes = [
        Runtime.from_fitted(fitted, build(fitted), name="onnx"),
        Runtime.from_fitted(fitted, name="python"),
    ]
    with running(runtimes) as url, httpx.Client(base_url=url, timeout=180) as client:
        yield client


def row(photo: Any = BRIGHT, sound: Any = LOUD, age: Any = 3.0) -> dict[str, Any]:
    text = lambda value: media.plain(value) if isinstance(value, bytes) else value  # noqa: E731
    return {"photo": text(photo), "sound": text(sound), "age": age}


def records(client: httpx.Client, *rows: dict[str, Any], model: str = "onnx") -> httpx.Response:
    return client.post(f"/models/{model}/predict", json={"rows": list(rows)})


def expected(photo: bytes | None = BRIGHT, sound: bytes | None = LOUD, age: float | None = 3.0) -> float:
    return float(media.fitted().predict([{"photo": photo, "sound": sound, "age": age}]).probabilities[0, 1])


def test_base64_and_data_uris_are_read_one_row_and_many(client: httpx.Client) -> None:
    uri = f"data:image/png;base64,{media.plain(DARK)}"
    rows = [row(), row(uri), row(None, None, None)]
    wanted = [expected(), expected(DARK), expected(None, None, None)]
    for model in ("onnx", "python"):
        many = records(client, *rows, model=model).json()["predictions"]
        single = [records(client, one, model=model).json()["predictions"][0] for one in rows]
        for found in (many, single):
            assert [one["probabilities"]["bright"] for one in found] == pytest.approx(wanted, abs=1e-5)
    assert wanted[0] > 0.8 > 0.3 > wanted[1]


def test_forms_with_files_are_rows(client: httpx.Client) -> None:
    """One part a column; names that are there twice make two rows; text parts may hold base64 too."""
    one = client.post(
        "/models/onnx/predict",
        files={"photo": ("a.png", BRIGHT), "sound": ("a.wav", LOUD)},
        data={"age": "3"},
    )
    assert one.json()["predictions"][0]["probabilities"]["bright"] == pytest.approx(expected(), abs=1e-5)
    files = [
        ("photo", ("a.png", BRIGHT)),
        ("photo", ("b.png", DARK)),
        ("sound", ("a.wav", LOUD)),
        ("sound", ("b", b"")),
    ]
    two = client.post("/models/onnx/predict", files=files, data={"age": ["3", ""]}).json()["predictions"]
    wanted = [expected(), expected(DARK, None, None)]
    assert [found["probabilities"]["bright"] for found in two] == pytest.approx(wanted, abs=1e-5)
    filled = client.post("/models/onnx/predict?missing=fill", files={"photo": (None, media.plain(DARK))})
    assert filled.json()["predictions"][0]["probabilities"]["bright"] == pytest.approx(
        expected(DARK, None, None), abs=1e-5
    )


def test_tensors_of_the_open_inference_protocol_hold_base64(client: httpx.Client) -> None:
    about = client.get("/v2/models/onnx").json()
    assert [one["datatype"] for one in about["inputs"]] == ["BYTES", "BYTES", "FP64"]
    for count in (1, 2):
        inputs = [
            {"name": name, "datatype": kind, "shape": [count, 1], "data": [value] * count}
            for (name, value), kind in zip(row().items(), ("BYTES", "BYTES", "FP64"), strict=True)
        ]
        answer = client.post("/v2/models/onnx/infer", json={"inputs": inputs}).json()
        outputs = {one["name"]: one["data"] for one in answer["outputs"]}
        assert outputs["prediction"] == ["bright"] * count
        assert outputs["probabilities"][1] == pytest.approx(expected(), abs=1e-5)


@pytest.mark.parametrize("model", ["onnx", "python"])
def test_a_path_is_never_opened(client: httpx.Client, tmp_path: Path, model: str) -> None:
    """Not one row, not many, not in a tensor, not in a form: a file that is there is as refused as one that is not."""
    path = tmp_path / "secret.png"
    path.write_bytes(BRIGHT)
    for name in (str(path), "/etc/passwd", f"file://{path}", "../secret.png"):
        answers = [
            records(client, row(name), model=model),
            records(client, row(), row(name), model=model),
            client.post(
                f"/models/{model}/predict", files={"photo": (None, name), "sound": ("a.wav", LOUD), "age": (None, "3")}
            ),
            client.post(
                f"/v2/models/{model}/infer",
                json={
                    "inputs": [
                        {"name": "photo", "datatype": "BYTES", "shape": [1], "data": [name]},
                        {"name": "sound", "datatype": "BYTES", "shape": [1], "data": [None]},
                        {"name": "age", "datatype": "FP64", "shape": [1], "data": [3.0]},
                    ]
                },
            ),
        ]
        for answer in answers:
            assert answer.status_code in (400, 403)
            assert "'photo'" in answer.json()["error"]
            assert "never as a path" in answer.json()["error"]


@pytest.mark.parametrize(
    ("photo", "words"),
    [
        (media.plain(BRIGHT[:60]), "'photo'"),  # it ends early
        (media.plain(LOUD), "'photo'"),  # a sound
        ("data:image/png;base64,@@@@", "'photo'"),
        ("data:image/png;base64," + media.plain(b"no picture at all"), "'photo'"),
        (17, "'photo'"),
    ],
)
def test_what_does_not_decode_names_its_column(client: httpx.Client, photo: Any, words: str) -> None:
    for answer in (records(client, row(photo)), records(client, row(photo), row(photo))):
        assert answer.status_code in (400, 422)
        assert words in answer.json()["error"]


def test_broken_ones_among_good_ones_are_missing_and_said(client: httpx.Client) -> None:
    answer = records(client, row(), row(), row(media.plain(BRIGHT[:60]))).json()
    assert "1 picture of 'photo' cannot be read" in " ".join(answer["notes"])
    found = answer["predictions"][2]["probabilities"]["bright"]
    assert found == pytest.approx(expected(None), abs=1e-5)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"x", "multipart/form-data", "no boundary"),
        (b"x", "multipart/form-data; boundary=b", "does not end"),
        (b"--b\r\nx\r\n--b--", "multipart/form-data; boundary=b", "no blank line"),
        (b"--b\r\nx: y\r\n\r\nz\r\n--b--", "multipart/form-data; boundary=b", "no name"),
        (b"--b--", "multipart/form-data; boundary=b", "no parts"),
        (NO_TEXT, "multipart/form-data; boundary=b", "UTF-8"),
    ],
)
def test_broken_forms_are_refused(client: httpx.Client, body: bytes, kind: str, words: str) -> None:
    answer = client.post("/models/onnx/predict", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_columns_of_a_form_have_equally_many_parts(client: httpx.Client) -> None:
    files = [("photo", ("a.png", BRIGHT)), ("photo", ("b.png", DARK)), ("sound", ("a.wav", LOUD))]
    answer = client.post("/models/onnx/predict", files=files)
    assert (answer.status_code, "'sound' has 1" in answer.json()["error"]) == (400, True)


@dataclass(frozen=True, kw_only=True)
class OnePhoto:
    """The mean pixel of the photo as the chance that it is bright."""

    task: Task
    learner: str = "one_photo"
    learned: Any = None

    def predict(self, rows: pa.Table) -> np.ndarray:
        pixels = media.Bright().photo(rows)["pixel_values"].mean(axis=(1, 2, 3)).astype(np.float64)
        positive = 1 / (1 + np.exp(-pixels))
        return np.column_stack([1 - positive, positive])

    def save(self) -> dict[str, bytes]:
        return {}


def test_torchserve_takes_a_picture_as_the_body_or_as_a_file() -> None:
    """`curl -T cat.jpg` and `curl -F data=@cat.jpg`, as its own clients send them, say what JSON says."""
    task = replace(media.TASK, inputs=("photo",))
    signature = replace(media.fitted().signature, inputs=media.COLUMNS[:1])
    model = Composite(members=(OnePhoto(task=task),), weights=(1.0,), task=task)
    ready = Runtime.from_fitted(Fitted(task=task, signature=signature, model=model), name="cats")
    with running([ready]) as url, httpx.Client(base_url=url, timeout=180) as client:
        said = {}
        for name, content in (("bright", BRIGHT), ("dark", DARK)):
            plain = client.post("/predictions/cats", json={"photo": media.plain(content)}).json()
            said[name] = plain["probabilities"]["bright"]
            assert client.post("/predictions/cats", content=content).json() == plain
            assert (
                client.post("/predictions/cats", content=content, headers={"content-type": "image/png"}).json() == plain
            )
            assert client.post("/predictions/cats", files={"data": ("a.png", content, "image/png")}).json() == plain
            several = [("photo", ("a.png", content)), ("photo", ("b.png", content))]
            assert client.post("/predictions/cats", files=several).json() == [plain, plain]
        assert said["bright"] > said["dark"]
        refused = client.post("/predictions/cats", content=BRIGHT[:60], headers={"content-type": "image/png"})
        assert refused.status_code in (400, 422)
        assert "photo" in refused.json()["message"]


def test_a_body_over_the_limit_is_refused() -> None:
    fitted = media.fitted()
    with running([Runtime.from_fitted(fitted, build(fitted), name="m")]) as url:
        answer = httpx.post(
            f"{url}/models/m/predict",
            files={"photo": ("big.png", b"\x89PNG\r\n\x1a\n" + bytes(40_000_000))},
            timeout=180,
        )
        assert answer.status_code == 413


@pytest.mark.parametrize("engine", ["onnx", "python"])
def test_a_caller_in_this_process_may_name_files_of_one_row_as_of_many(engine: str, tmp_path: Path) -> None:
    """`predict_row` has the rule of `predict`: paths are taken, unless whoever asks came over a network."""
    from luban.core.errors import Refused
    from luban.core.paths import paths_refused

    (tmp_path / "dark.png").write_bytes(DARK)
    named = {"photo": str(tmp_path / "dark.png"), "sound": None, "age": 3.0}
    fitted = media.fitted()
    graph = build(fitted) if engine == "onnx" else None
    local = Runtime.from_fitted(fitted, graph, paths=True)
    wanted = pytest.approx(expected(DARK, None), abs=1e-5)
    assert local.predict_row(named)["probabilities"]["bright"] == wanted
    assert local.predict([named]).probabilities[0, 1] == wanted
    for ask in (local.predict_row, lambda row: local.predict([row])):
        with paths_refused(), pytest.raises(Refused, match="never as a path"):
            ask(named)
    with pytest.raises(Refused, match="never as a path"):
        Runtime.from_fitted(fitted, graph).predict_row(named)
