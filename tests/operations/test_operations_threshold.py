"""The threshold is part of a version: whoever asks for another gets another version, and all that decide agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest

from luban.core.errors import InputError
from luban.core.task import Task
from luban.evaluation.metrics import metric
from luban.evaluation.threshold import best_threshold
from luban.operations import deciding
from luban.operations.evaluate import evaluate
from luban.operations.export import export
from luban.operations.fit import Fit, fit
from luban.operations.loading import fitted
from luban.operations.models.compare import models_compare
from luban.operations.models.show import models_show
from luban.operations.models.threshold import models_threshold
from luban.operations.monitoring.baselines import CHECK, baseline_of, out_of_fold
from luban.operations.predict import predict
from luban.operations.update import update

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

pytestmark = pytest.mark.usefixtures("in_this_process")

BINARY = Task(kind="binary", target="rare", inputs=("x", "y"), metric="roc_auc", classes=("no", "yes"))
THREE = Task(kind="multiclass", target="size", inputs=("x",), metric="log_loss", classes=(1, 2, 3))
LABELS = Task(kind="multilabel", target="genres", inputs=("x",), metric="f1_micro", classes=("a", "b"))
ANSWERS = Task(kind="matching", target="answer", inputs=("x",), metric="accuracy", classes=("a", "b", "c"))


def rows(count: int, seed: int) -> pa.Table:
    """Return rows of which a tenth is positive, the likelier the higher x is."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=count), random.normal(size=count)
    rare = random.random(count) < 1 / (1 + np.exp(3.2 - 1.5 * x))
    return pa.table({"x": x, "y": y, "rare": np.where(rare, "yes", "no")})


def made(workspace: Workspace, **options: object) -> Fit:
    found = fit(workspace, rows(1500, 1), target="rare", name="rare", rounds=1, learners=("linear",), **options)
    assert isinstance(found, Fit)
    return found


@pytest.mark.long
def test_another_threshold_is_another_version_and_every_way_to_decide_agrees(
    workspace: Workspace, tmp_path: Path
) -> None:
    made(workspace)
    given = rows(400, 2)
    before = predict(workspace, "rare/1", given).predictions
    moved = models_threshold(workspace, "rare", 0.2)
    assert (moved.model, moved.source, moved.threshold, moved.before) == ("rare/2", "rare/1", 0.2, 0.5)
    assert moved.scores["recall"] > moved.scores_before["recall"]

    after = predict(workspace, "rare/2", given).predictions
    probability = np.array([one["probability_yes"] for one in after])
    assert probability.tolist() == [one["probability_yes"] for one in before]
    decided = ["yes" if one >= 0.2 else "no" for one in probability]
    assert [one["prediction"] for one in after] == decided != [one["prediction"] for one in before]
    in_python = fitted(workspace, "rare/2").predict(given).to_table()["prediction"].to_pylist()
    assert in_python == decided
    written = export(workspace, "rare/2", to="onnx", output=tmp_path / "onnx")
    session = onnxruntime.InferenceSession(written.path)
    inputs = {one.name: given[one.name].to_numpy().astype(np.float32)[:, None] for one in session.get_inputs()}
    assert [str(one) for one in session.run(["prediction"], inputs)[0].ravel()] == decided
    judged = evaluate(workspace, "rare/2", given, bootstrap=0)
    assert judged.report.figures["threshold"] == 0.2
    assert judged.metrics["accuracy"] == np.mean(np.array(decided) == np.array(given["rare"].to_pylist()))
    assert judged.metrics["roc_auc"] == evaluate(workspace, "rare/1", given, bootstrap=0).metrics["roc_auc"]

    beside = models_compare(workspace, "rare/1", "rare/2", given, bootstrap=10).report
    assert beside is not None
    assert beside.figures["accuracy"]["second"] == judged.metrics["accuracy"] != beside.figures["accuracy"]["first"]
    assert beside.figures["roc_auc"]["difference"] == 0
    assert [models_show(workspace, one).threshold for one in ("rare/1", "rare/2")] == [0.5, 0.2]
    first, second = workspace.models.get("rare/1"), workspace.models.get("rare/2")
    assert workspace.models.get("rare").reference == "rare/1", "no alias moves by itself"
    assert second.scores["roc_auc"] == first.scores["roc_auc"]
    assert second.scores["f1"] == pytest.approx(moved.scores["f1"]) != first.scores["f1"]
    assert {"model:rare/1", "model:rare/2"} <= {node.id for node in workspace.lineage.of("rare/2").nodes}
    assert out_of_fold(workspace, second) is not None, "what the fit kept is found from the new version too"
    due = baseline_of(workspace, second).expected
    assert due is not None
    assert due.metrics["f1"] == pytest.approx(moved.scores["f1"]), "labels will tell of what is decided"
    (kept,) = workspace.reports.list(subject="rare/2", check=CHECK)
    old = workspace.reports.get(kept.digest)
    workspace.reports.add(replace(old, figures={"form": 1, "baseline": {}}))
    assert baseline_of(workspace, second).expected == due, "what an earlier release kept is not taken for it"
    with pytest.raises(InputError, match=r"decides from 0\.2 on already"):
        models_threshold(workspace, "rare/2", 0.2)


@pytest.mark.long
def test_a_metric_chooses_on_rows_that_were_not_learnt_from_and_chooses_again_in_an_update(
    workspace: Workspace,
) -> None:
    found = made(workspace, threshold="f1")
    first = workspace.models.get("rare/1")
    kept = out_of_fold(workspace, first)
    assert kept is not None
    expected = best_threshold(metric("f1"), first.task, *kept, seed=0)
    assert fitted(workspace, "rare/1").model.threshold == expected != 0.5
    assert first.recipe is not None
    assert first.recipe.steps[-1].parameters["threshold"] == expected
    assert found.report is not None
    assert found.report.figures["threshold"] == expected
    with pytest.raises(InputError, match="from which rare/1 decides already"):
        models_threshold(workspace, "rare", "f1")
    given = rows(500, 3)
    moved = models_threshold(workspace, "rare", "balanced_accuracy", data=given)
    assert moved.rows == 500
    assert moved.scores["balanced_accuracy"] > moved.scores_before["balanced_accuracy"]

    done = update(workspace, "rare", rows(400, 4), rounds=1, way="retrain", gate=("latency=off", "quality=off"))
    challenger = workspace.models.get(str(done.challenger))
    kept = out_of_fold(workspace, challenger)
    assert kept is not None
    assert challenger.tags["threshold"] == "f1", "what the champion was asked for holds for its successor"
    assert fitted(workspace, challenger.reference).model.threshold == best_threshold(
        metric("f1"), challenger.task, *kept, seed=challenger.recipe.seed if challenger.recipe else 0
    )


@pytest.mark.long
def test_the_score_of_a_fit_is_that_of_what_its_model_decides(workspace: Workspace) -> None:
    """Before, f1 was told at one half while the model decides where f1 is highest."""
    found = made(workspace, metric="f1")
    assert found.report is not None
    assert fitted(workspace, "rare/1").model.threshold is not None
    assert found.score == found.report.figures["metrics"]["f1"] == workspace.models.get("rare/1").scores["f1"]


@pytest.mark.parametrize("asked", ["roc_auc", "high", "", "1.5", "-0.1", "nan", float("nan"), 2.0])
def test_what_is_no_threshold_is_refused(asked: float | str) -> None:
    with pytest.raises(InputError, match="threshold"):
        deciding.asked_for(asked)


def test_a_threshold_is_refused_where_there_is_none() -> None:
    with pytest.raises(InputError, match="a multiclass task has no decision threshold"):
        deciding.check(THREE, 0.3)
    with pytest.raises(InputError, match="no metric chooses"):
        deciding.check(ANSWERS, "accuracy")
    with pytest.raises(InputError):
        deciding.check(LABELS, "balanced_accuracy")
    deciding.check(ANSWERS, 0.3)
    deciding.check(LABELS, "f1_micro")
    deciding.check(BINARY, deciding.asked_for("0.3"))


def test_a_fit_with_a_threshold_its_task_cannot_have_writes_nothing(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="a regression task has no decision threshold"):
        fit(workspace, rows(100, 1), target="x", threshold=0.3)
    assert not workspace.datasets.list()
