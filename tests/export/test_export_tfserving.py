"""A SavedModel answers as the graph does, for every learner of tables; where it cannot be made, the error says why.

What needs TensorFlow runs where it is installed (`pip install '.[tensorflow]'`); the last test makes an environment
that has it and runs the others there. TensorFlow Serving itself is not here: its REST form is answered by a few lines.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import threading
import venv
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from test_export_learners import SCHEMA, TABLE, TARGETS, TASKS, ensemble, member, strange

import small_models as small
from luban.core import plugins
from luban.core.errors import MissingExtra, Unsupported
from luban.core.protocols import Examples, Suitable, Unsuitable
from luban.core.schema import Column
from luban.export import folder
from luban.export.onnx import made
from luban.export.onnx.build import build
from luban.export.onnx.graph import ROWS as ROWS_AXIS
from luban.export.onnx.graph import OnnxGraph
from luban.export.python.client import client
from luban.export.python.package import package
from luban.export.tfserving import saved
from luban.export.tfserving.exporter import TensorFlowServingExporter
from luban.learners import symmetric
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.outputs import value_output
from luban.learners.graph.session import open_session
from luban.modalities.tabular.terms import Terms
from luban.modalities.tabular.tokens import UNITS, tokenise, tokens_to_graph
from luban.testing.exporter import check_exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not HERE, reason="TensorFlow is not installed: pip install '.[tensorflow]'")
ROWS = small.random_table(100)
EXAMPLES = Examples(table=ROWS, target=np.zeros(100))
LEARNERS = [
    name
    for name in plugins.names("learners")
    if type(plugins.create("learners", name)).__module__.startswith("luban.learners.tabular.")
]


def of_table(name: str, kind: str, columns: list[str]) -> Any:
    """Return a small fit on these columns."""
    task = replace(TASKS[kind], inputs=tuple(columns))
    table, schema = TABLE.select(columns).slice(0, 300), SCHEMA.select(columns)
    return ensemble(task, schema, member(name, task, schema, Examples(table=table, target=TARGETS[kind][:300])))


@pytest.mark.skipif(HERE, reason="TensorFlow is installed")
def test_without_tensorflow_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"luban\[tensorflow\]"):
        TensorFlowServingExporter().export(small.fitted(small.BINARY), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(MissingExtra, match=r"pip install 'luban\[tensorflow\]'"):
        plugins.create("exporters", "tfserving")


@dataclass(frozen=True, kw_only=True)
class Steep(small.ByHand):
    """A model whose graph has an operator that those of tables do not have."""

    learner: str = "steep"

    def to_graph(self, graph: Any) -> str:
        return str(graph.node("HardSigmoid", super().to_graph(graph)))


def test_what_tensorflow_has_no_form_for_is_named_with_what_else_can_be_done(tmp_path: Path) -> None:
    """The error comes before TensorFlow is looked for."""
    fitted = small.fitted(small.BINARY, Steep(task=small.BINARY))
    answer = TensorFlowServingExporter().supports(fitted)
    assert isinstance(answer, Unsuitable)
    with pytest.raises(Unsupported, match="--to docker") as caught:
        TensorFlowServingExporter().export(fitted, str(tmp_path / "out"))
    for words in (answer.reason, str(caught.value)):
        assert "HardSigmoid" in words
    assert not (tmp_path / "out").exists()
    assert isinstance(TensorFlowServingExporter().supports(small.fitted(small.BINARY)), Suitable)


@needs_tensorflow
@pytest.mark.long
@pytest.mark.parametrize("kind", list(TASKS))
@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_of_tables_answers_the_same(name: str, kind: str, tmp_path: Path) -> None:
    """On ordinary rows and on rows such as nobody has seen: nothing at all, huge numbers, unknown words, odd days."""
    fitted = of_table(name, kind, TABLE.column_names)
    graph = build(fitted)
    session = open_session(graph)
    rows = pa.concat_tables([TABLE, strange(TABLE)])
    feeds = Feeding(session, fitted.signature.inputs).table(rows)
    saved.write(graph, tmp_path / "saved")
    output = value_output(fitted.task)
    (expected,) = session.run([output], feeds)
    found = saved.ask(tmp_path / "saved", feeds, output)
    assert found.shape == expected.shape
    # Sums of float32 in another order: the networks of tables differ most, on huge numbers.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * float(np.abs(expected).max()))


@needs_tensorflow
@pytest.mark.long
@pytest.mark.parametrize("numbers", [1, 1 << 19])
def test_rows_that_go_through_in_parts_answer_the_same(
    numbers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch, and in it a loop that gathers: a part a row, and all rows at once."""
    monkeypatch.setattr(symmetric, "_NUMBERS_AT_ONCE", numbers)
    fitted = of_table("catboost", "multiclass", TABLE.column_names)
    graph = build(fitted)
    session = open_session(graph)
    saved.write(graph, tmp_path / "saved")
    output = value_output(fitted.task)
    for rows in (TABLE, TABLE.slice(0, 1), TABLE.slice(0, 7)):
        feeds = Feeding(session, fitted.signature.inputs).table(rows)
        (expected,) = session.run([output], feeds)
        np.testing.assert_allclose(saved.ask(tmp_path / "saved", feeds, output), expected, rtol=1e-4, atol=1e-6)


ODD = [
    "",
    " ",
    "Red RED red",
    "naïve Ünïcödé",
    "日本語 text カナ",
    "a\x01b\x02c",
    "tab\tand\nline",
    "🙂 0_9",
    "..",
    "x" * 50,
]


@needs_tensorflow
@pytest.mark.long
@pytest.mark.parametrize("unit", UNITS)
def test_texts_are_cut_and_counted_as_in_the_graph(unit: str, tmp_path: Path) -> None:
    """Runs of one to four tokens, in odd texts, alone and together; where no text has a token there are none."""
    texts = pa.chunked_array([pa.array([*ODD, *(f"{one} and {two}" for one in ODD for two in ODD)])])
    table = pa.table({"note": texts})
    terms = Terms.fit(tokenise(texts, unit), shortest=1, longest=4, limit=400)
    weights = np.linspace(0.5, 2.0, len(terms))
    columns = (Column(name="note", kind="text"),)
    graph = OnnxGraph(columns)
    tokens = tokens_to_graph(graph, "note", unit)
    counted = graph.node("TfIdfVectorizer", tokens.tokens, **terms.attributes(weights))
    found = graph.node("Concat", counted, tokens.characters, tokens.count, axis=1)
    graph.output("found", found, [ROWS_AXIS, len(terms) + 2])
    written = graph.to_bytes(name="texts", metadata={}, producer_version="0")
    session = open_session(written)
    saved.write(written, tmp_path / "saved")
    for rows in (table, table.slice(0, 2), table.slice(5, 1)):
        feeds = Feeding(session, columns).table(rows)
        (expected,) = session.run(["found"], feeds)
        np.testing.assert_allclose(saved.ask(tmp_path / "saved", feeds, "found"), expected, rtol=1e-6)


@needs_tensorflow
@pytest.mark.long
def test_the_exporter_conforms_and_measures_what_it_wrote(tmp_path: Path) -> None:
    done = check_exporter(TensorFlowServingExporter(), small.fitted(small.BINARY), EXAMPLES, tmp_path)
    assert 0 < done["parity"] <= 1e-6
    assert done["rows"] == 100
    assert (Path(done["path"]) / "model" / "1" / "saved_model.pb").is_file()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """TensorFlow Serving's REST form over the SavedModel in a folder, loaded as TensorFlow 2 loads one."""
    import tensorflow as tf

    ask = tf.saved_model.load(str(tmp_path / "models" / "in_come" / "1")).signatures["serving_default"]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/models/in_come:predict"
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
            signature = ask.structured_input_signature[1]
            feeds = {name: tf.constant(values, signature[name].dtype) for name, values in given.items()}
            found = {name: values.numpy().astype("O").tolist() for name, values in ask(**feeds).items()}
            body = json.dumps({"outputs": found}, default=lambda one: one.decode()).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Stay silent."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def exported(tmp_path: Path) -> Any:
    fitted = small.fitted(small.BINARY, threshold=0.4)
    TensorFlowServingExporter().export(fitted, str(tmp_path), EXAMPLES, reference="in_come/7")
    return fitted


@needs_tensorflow
@pytest.mark.long
@pytest.mark.usefixtures("exported")
def test_its_client_asks_as_the_model_answers(
    exported: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "client"))
    for name in ("ask", "predict"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    ask = importlib.import_module("ask")
    rows = ROWS.to_pylist()
    found = ask.Asked(server).predict([dict(reversed(row.items())) | {"other": 1} for row in rows])
    expected = exported.predict(ROWS)
    assert [one["prediction"] for one in found] == expected.prediction.to_pylist()
    high = [one["probabilities"]["high"] for one in found]
    np.testing.assert_allclose(high, expected.probabilities[:, 1], atol=1e-6)
    for name in ("ask", "predict"):
        sys.modules.pop(name, None)


@pytest.mark.long
def test_its_client_says_what_is_wrong_with_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and without TensorFlow: where it is away, refuses, or is another one; or a column."""
    inside, _ = package(made.make(small.fitted(small.BINARY), EXAMPLES), "income/1")
    folder.write(tmp_path, client(inside, "income", "tfserving"))
    monkeypatch.syspath_prepend(str(tmp_path / "client"))
    for name in ("ask", "predict"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    ask = importlib.import_module("ask")
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"age": 39}]), encoding="utf-8")

    class Page(BaseHTTPRequestHandler):
        """Refuses, or answers with what the path says."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            code, body = pages[self.path.split("/")[1]]
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    pages = {
        "refuses": (404, b'{"error": "Servable not found"}'),
        "other": (200, b'{"outputs": {"x": [1]}}'),
        "list": (200, b"[]"),
        "page": (200, b"<html>"),
    }

    def said(url: str, *more: str) -> str:
        assert ask.main([url, str(path), *more]) == 2
        out, words = capsys.readouterr()
        assert (out, words.count("\n")) == ("", 1), words
        return words

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{running.server_port}"
            assert "add it, or take it as missing: --fill" in said(url)
            assert 'refused; seen: 404 {"error": "Servable not found"}' in said(f"{url}/refuses", "--fill")
            assert "is it another model?" in said(f"{url}/other", "--fill")
            assert "is it another model?" in said(f"{url}/list", "--fill")
            assert "is no TensorFlow Serving" in said(f"{url}/page", "--fill")
        finally:
            running.shutdown()
            thread.join()
    assert "is it running?" in said(url, "--fill")
    assert "named by a URL" in said("127.0.0.1:8501")
    for name in ("ask", "predict"):
        sys.modules.pop(name, None)


@pytest.mark.skipif(HERE, reason="TensorFlow is installed, so the tests above have run")
@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
def test_all_this_in_an_environment_that_has_tensorflow(tmp_path: Path) -> None:
    """TensorFlow is put beside the packages that are here, in an environment of its own."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "tensorflow-cpu>=2.20"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"TensorFlow cannot be installed here: {done.stderr[-200:]}")
    site = next((tmp_path / "venv" / "lib").glob("python3.*")) / "site-packages"
    here = [path for path in sys.path if path.endswith("site-packages")] + [
        str(Path(small.__file__).parents[1] / "src")
    ]
    (site / "beside.pth").write_text("\n".join(here))
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "long or not long", __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(small.__file__).parents[1])
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout or "[100%]" in done.stdout
