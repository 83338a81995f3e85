"""The operation `export`: the registry's name goes along, and an error leaves nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import luban
from luban.core import plugins
from luban.core.budget import Effort
from luban.core.errors import Conflict, NotFound
from luban.core.protocols import Examples
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a registered model of one number, income/1."""
    import pyarrow as pa

    monkeypatch.setenv("LUBAN_WORKSPACE", str(tmp_path / "ws"))
    schema = Schema(columns=(Column(name="age", kind="number"),))
    task = Task(kind="binary", target="income", inputs=("age",), metric="roc_auc", classes=("low", "high"))
    table = pa.table({"age": np.arange(100.0)})
    examples = Examples(table=table, target=(np.arange(100) > 50).astype(np.int64))
    learner = plugins.create("learners", "linear")
    parameters = dict(learner.suggestions(task)[0].parameters)
    made = learner.fit(task, schema, examples, None, parameters=parameters, effort=Effort(deadline=np.inf, threads=1))
    model = fitted(Composite(members=(made,), weights=(1.0,), task=task), schema)
    with Workspace.open(tmp_path / "ws") as opened:
        digest = artifact.write(opened.blobs, model)
        opened.models.register(name="income", artifact=digest, signature=model.signature, task=task)
    return tmp_path


@pytest.mark.parametrize("to", ["onnx", "python", "docker", "mlflow", "triton"])
def test_the_name_in_the_registry_goes_along(to: str, workspace: Path) -> None:
    done = luban.export("income", to=to, output=workspace / "out")
    assert done.model == "income/1"
    (path,) = (workspace / "out").rglob("signature.json")
    assert json.loads(path.read_text())["model"] == "income/1"


def test_an_export_that_cannot_be_written_leaves_nothing(workspace: Path) -> None:
    with pytest.raises(NotFound, match="pyhton"):
        luban.export("income", to="pyhton", output=workspace / "out")
    with pytest.raises(NotFound, match="other"):
        luban.export("income", to="python", output=workspace / "out", without=("other",))
    assert not (workspace / "out").exists()
    (workspace / "out").write_text("mine")
    with pytest.raises(Conflict, match="is a file"):
        luban.export("income", to="python", output=workspace / "out")
    assert (workspace / "out").read_text() == "mine"
