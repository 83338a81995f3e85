"""A model repository for Triton: its configuration is what the graph is, and its client reads rows as the model does.

Triton itself is not here. Its configuration is parsed by its own protobuf, the graph is run by the same ONNX Runtime
with tensors as the configuration wants them, and the client asks Luban's server, which speaks the same protocol.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

import media_models as media
import small_models as small
from luban.core.protocols import Examples
from luban.export.names import folder_name
from luban.export.onnx.build import build
from luban.export.triton.config import quoted
from luban.export.triton.exporter import TritonExporter
from luban.serving.runtime import Runtime
from luban.serving.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = small.random_table(40)
EXAMPLES = Examples(table=TABLE, target=np.zeros(40))
TYPES = {"TYPE_FP32": np.float32, "TYPE_INT64": np.int64, "TYPE_STRING": np.object_, "TYPE_BOOL": np.bool_}


@pytest.fixture(scope="module")
def protobuf() -> Any:
    """Triton's own messages, without the gRPC client beside them."""
    spec = importlib.util.find_spec("tritonclient")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("tritonclient is not installed")
    path = Path(spec.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    found = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def parsed(protobuf: Any, folder: Path, name: str) -> Any:
    text = (folder / "model_repository" / name / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, protobuf.ModelConfig())


def test_the_client_asks_for_packages_that_exist(tmp_path: Path) -> None:
    """A package a line, each as pip reads it; the graph runs elsewhere, so no ONNX Runtime."""
    TritonExporter().export(small.fitted(small.BINARY), str(tmp_path), EXAMPLES, reference="income/1")
    lines = (tmp_path / "client" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [Requirement(line).name for line in lines] == ["numpy", "tritonclient"]


@pytest.mark.parametrize("task", [small.BINARY, small.THREE, small.NUMBER, small.QUANTILES])
def test_the_graph_takes_and_gives_what_the_configuration_says(task: Any, protobuf: Any, tmp_path: Path) -> None:
    fitted = small.fitted(task)
    done = TritonExporter().export(fitted, str(tmp_path), EXAMPLES, reference="income_2/3")
    assert (done["path"], done["name"]) == (str(tmp_path / "model_repository"), "income_2")
    config = parsed(protobuf, tmp_path, "income_2")
    assert (config.name, config.backend, config.max_batch_size) == ("income_2", "onnxruntime", 1024)
    assert config.HasField("dynamic_batching")
    assert config.parameters["luban.model"].string_value == "income_2/3"
    session = onnxruntime.InferenceSession(tmp_path / "model_repository" / "income_2" / "1" / "model.onnx")
    kinds = {one.name: protobuf.DataType.Name(one.data_type) for one in config.input}
    words = dict.fromkeys(("colour", "member", "note"), "TYPE_STRING")
    assert kinds == words | {"age": "TYPE_FP32", "since": "TYPE_INT64"}
    names = [one.name for one in config.output]
    blank = {np.float32: 1.0, np.int64: 0, np.object_: "a"}
    for rows in (1, 7):
        feeds = {
            one.name: np.full((rows, *one.dims), blank[TYPES[kinds[one.name]]], dtype=TYPES[kinds[one.name]])
            for one in config.input
        }
        found = dict(zip(names, session.run(names, feeds), strict=True))
        for one in config.output:
            # A batch of rows that each have no axis: Triton adds one of length 1, which the configuration says.
            shape = list(one.reshape.shape) if one.HasField("reshape") else list(one.dims)
            assert found[one.name].shape == (rows, *shape)
            assert list(one.dims) == (shape or [1])
            assert found[one.name].dtype == TYPES[protobuf.DataType.Name(one.data_type)]


def test_prepared_tensors_are_inputs(protobuf: Any, tmp_path: Path) -> None:
    TritonExporter().export(media.fitted(), str(tmp_path), reference="客户/1")
    config = parsed(protobuf, tmp_path, "model")
    assert config.max_batch_size == 32
    sizes = {one.name: list(one.dims) for one in config.input}
    assert sizes["pixel_values"] == [3, 8, 8]
    assert sizes["input_values"] == [-1]
    assert sizes["age"] == [1]
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"client/0_image_pixels/prepare.py", "client/predict.py", "client/ask.py"} <= files
    assert "client/model.onnx" not in files


@pytest.fixture
def fitted() -> Any:
    return small.fitted(small.BINARY, threshold=0.3)


@pytest.fixture
def client(fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The program that asks, as it is exported, in this process."""
    pytest.importorskip("tritonclient.http")
    TritonExporter().export(fitted, str(tmp_path), reference="income/1")
    monkeypatch.syspath_prepend(str(tmp_path / "client"))
    for name in ("ask", "predict"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("ask")
    for name in ("ask", "predict"):
        sys.modules.pop(name, None)


def test_its_client_asks_as_the_model_answers(fitted: Any, client: Any) -> None:
    ask = client
    runtime = Runtime(fitted, build(fitted), name="income", version=1)
    rows = small.random_table(70).to_pylist()
    with running([runtime]) as url:
        found = ask.Asked(url).predict([dict(reversed(row.items())) | {"other": 1} for row in rows])
        with pytest.raises(ValueError, match="'age'"):
            ask.Asked(url).predict([{**rows[0], "age": "x"}])
    expected = [runtime.predict_row(row) for row in rows]
    assert [one["prediction"] for one in found] == [one["prediction"] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"])


@pytest.mark.long
def test_its_client_says_what_is_wrong_with_a_server(
    fitted: Any, client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line: where it is away, does not have the model, is no Triton or is named by no URL; or a column."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"age": 39}]), encoding="utf-8")

    def said(url: str, *more: str) -> str:
        assert client.main([url, str(path), *more]) == 2
        out, words = capsys.readouterr()
        assert (out, words.count("\n")) == ("", 1), words
        return words

    other = Runtime.from_fitted(fitted, build(fitted), name="other", version=1)
    with running([other]) as url:
        assert "add it, or take it as missing: --fill" in said(url)
        refused = said(url, "--fill")
        assert "'income', the server refused; seen: [404] no model is named 'income'" in refused
        assert f"asked {url} " in refused
    assert "no server answered at" in said(url, "--fill")
    assert "is it running?" in said("127.0.0.1:1", "--fill")
    for wrong in ("ftp://127.0.0.1", "http://", "http://127.0.0.1/v2", "http://127.0.0.1:x", "http://127.0.0.1:99999"):
        assert "URL" in said(wrong) or "ort" in said(wrong)
    with page(b"<html>") as url:
        assert "is no Triton server" in said(url, "--fill")
    with page(b"{}") as url:
        assert "is it another model?" in said(url, "--fill")


@contextmanager
def page(content: bytes) -> Iterator[str]:
    """A server that answers everything with one page."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@given(st.text())
def test_any_name_is_written_as_it_is(protobuf: Any, name: str) -> None:
    """What a column is called cannot end its string: it comes out of the parser as it went in."""
    text = f"name: {quoted(name)} max_batch_size: 7"
    found = text_format.Parse(text, protobuf.ModelConfig())
    assert (found.name, found.max_batch_size) == (name.encode("utf-8", "replace").decode(), 7)


@given(
    st.one_of(st.text(), st.sampled_from(["../..", "/etc/passwd", "a/b", "..", ".", "-rf", "a\n", "con", "x" * 300]))
)
def test_a_folder_is_named_plainly(name: str) -> None:
    found = folder_name(name)
    assert found.isascii()
    assert found.replace("-", "a").replace("_", "a").isalnum()
    assert not found.startswith(("-", "_"))
    assert len(found) <= 100


def test_the_name_is_told_to_the_client(tmp_path: Path) -> None:
    TritonExporter().export(small.fitted(small.BINARY), str(tmp_path), reference="../../evil/1")
    assert json.loads((tmp_path / "client" / "triton.json").read_text()) == {"name": "model"}
    assert sorted(path.name for path in (tmp_path / "model_repository").iterdir()) == ["model"]
