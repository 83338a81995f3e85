"""Canaries judged by the model's own metric on labelled rows: no rollback by chance, nor by another measure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core.model import Deployment
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.evaluation.metrics import metric
from luban.serving import labelled
from luban.serving.measured import CHANCE, Measured, due
from luban.serving.rollout import Tally, Trial
from luban.serving.trials import Seen, Trials

CHAMPION, CANARY = "m/1", "m/2"
HALF = Deployment(name="shop", traffic={CHAMPION: 0.5, CANARY: 0.5})
BINARY = Task(kind="binary", target="y", inputs=("x",), metric="roc_auc", classes=("no", "yes"))


def score(value: float, rows: int, error: float, *, greater: bool = True) -> Measured:
    return Measured(metric="accuracy", greater_is_better=greater, rows=rows, value=value, error=error)


def test_of_many_canaries_like_the_champion_hardly_one_is_accused() -> None:
    """3,000 trials, each looked at whenever it may be up to 10,000 labelled rows: 1 in 1,000 is the bound."""
    generator = np.random.default_rng(2)
    accused = 0
    steps = [30]
    while steps[-1] < 10_000:
        steps.append(int(np.ceil(1.25 * steps[-1])))
    sizes = np.diff([0, *steps])
    for _ in range(3000):
        hits = np.cumsum(generator.binomial(sizes, 0.8, (2, len(sizes))), axis=1) / np.array(steps)
        trial = Trial(deployment=HALF)
        for rows, one, other in zip(steps, *hits, strict=True):
            errors = [max(0.5 / rows, float(np.sqrt(share * (1 - share) / rows))) for share in (one, other)]
            trial.measure({CHAMPION: score(one, rows, errors[0]), CANARY: score(other, rows, errors[1])})
        accused += trial.worse() is not None
    assert accused <= 3000 * CHANCE + 5


def test_a_canary_that_is_worse_is_found_by_losses_and_by_scores() -> None:
    for greater, bad in ((True, 0.7), (False, 0.9)):
        trial = Trial(deployment=HALF)
        trial.measure(
            {CHAMPION: score(0.8, 400, 0.02, greater=greater), CANARY: score(bad, 400, 0.015, greater=greater)}
        )
        worse = trial.worse()
        assert worse is not None
        assert worse[0] == CANARY
        assert (
            worse[1]
            == f"accuracy was {bad:g} ± 0.015 on 400 labelled rows with m/2, 0.8 ± 0.02 on 400 labelled rows with m/1"
        )
        better = Trial(deployment=HALF)
        better.measure(
            {CHAMPION: score(bad, 400, 0.01, greater=greater), CANARY: score(0.8, 400, 0.01, greater=greater)}
        )
        assert better.worse() is None


def test_a_look_without_many_new_labels_is_no_test() -> None:
    """However often the same is told; the chance that tests spend is for new rows."""
    trial = Trial(deployment=HALF)
    for _ in range(50):
        trial.measure({CHAMPION: score(0.8, 200, 0.02), CANARY: score(0.8, 40, 0.05)})
    assert trial._tests == {CANARY: (1, 40)}
    assert not due(49, 40)
    assert due(50, 40)


def test_a_small_loss_however_sure_is_worth_no_rollback() -> None:
    trial = Trial(deployment=HALF)
    trial.measure({CHAMPION: score(0.80, 10**6, 1e-4), CANARY: score(0.79, 10**6, 1e-4)})
    assert trial.worse() is None


def test_the_metric_decides_where_it_can_be_had_and_wrong_answers_where_not() -> None:
    """A canary that says yes more often is more often wrong and ranks better: it stays. Without scores it goes."""
    wrong = {CANARY: Tally(requests=400, events=120), CHAMPION: Tally(requests=400, events=20)}
    scores = {CANARY: score(0.95, 400, 0.01), CHAMPION: score(0.9, 400, 0.02)}
    for given, verdicts in ((scores, 0), (None, 1), ({CHAMPION: scores[CHAMPION]}, 1)):
        trials = Trials()
        told = Seen(deployment="shop", began=7, traffic=HALF.traffic, counts={}, wrong=wrong, scores=given)
        trials.add(from_json(Seen, to_json(told)))  # as workers tell it to their parent
        assert len(trials.verdicts()) == verdicts


def logged(task: Task, target: np.ndarray, prediction: np.ndarray, model: str) -> pa.Table:
    names = [f"output.probability_{label}" for label in task.classes]
    columns: dict[str, Any] = dict(zip(names, prediction.T, strict=True))
    columns["output.prediction"] = [task.classes[code] for code in prediction.argmax(axis=1)]
    return pa.table({"model": [model] * len(target), **columns, "label": [task.classes[code] for code in target]})


@pytest.mark.parametrize("threshold", [None, 0.2])
@pytest.mark.parametrize("name", ["roc_auc", "f1", "log_loss"])
def test_scores_are_those_of_the_metric_at_the_versions_own_threshold(name: str, threshold: float | None) -> None:
    from luban.evaluation.bootstrap import as_judged

    task = Task(kind="binary", target="y", inputs=("x",), metric=name, classes=("no", "yes"))
    generator = np.random.default_rng(4)
    positive = generator.random(300)
    target = (generator.random(300) < positive).astype(np.int64)
    prediction = np.column_stack([1 - positive, positive])
    found = labelled.measured(task, logged(task, target, prediction, CHAMPION), {CHAMPION: threshold, CANARY: None})
    one = metric(name, task)
    assert found[CHAMPION].value == pytest.approx(one(task, target, as_judged(one, task, prediction, threshold)))
    assert 0.003 < found[CHAMPION].error < 0.1
    assert CANARY not in found


def test_where_the_metric_cannot_be_had_there_is_no_score() -> None:
    """Too few rows, one class alone, probabilities that were not logged, labels of no class, metrics the log is too
    short for."""
    generator = np.random.default_rng(5)
    positive = generator.random(60)
    prediction = np.column_stack([1 - positive, positive])
    table = logged(BINARY, generator.integers(0, 2, 60), prediction, CHAMPION)
    arms = {CHAMPION: None}
    assert set(labelled.measured(BINARY, table, arms)) == {CHAMPION}
    assert labelled.measured(BINARY, table.slice(0, 29), arms) == {}
    assert labelled.measured(BINARY, logged(BINARY, np.zeros(60, np.int64), prediction, CHAMPION), arms) == {}
    assert labelled.measured(BINARY, table.drop_columns(["output.probability_yes"]), arms) == {}
    strange = table.set_column(table.column_names.index("label"), "label", pa.array(["perhaps"] * 60))
    assert labelled.measured(BINARY, strange, arms) == {}
    words = Task(kind="tokens", target="y", inputs=("x",), metric="log_loss", classes=("a", "b"))
    assert labelled.measured(words, table, arms) == {}
