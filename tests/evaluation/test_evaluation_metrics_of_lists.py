"""Metrics of several labels a row: as scikit-learn has them, as seqeval has entities, as answers are ranked."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from luban.core.errors import InputError
from luban.core.task import Task
from luban.evaluation.evaluate import evaluate
from luban.evaluation.metrics import fitting, loss, metric
from luban.evaluation.metrics.tokens import entities
from luban.evaluation.threshold import best_threshold, reject_threshold

LABELS = Task(kind="multilabel", target="y", inputs=("x",), metric="average_precision", classes=("a", "b", "c"))
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
TOKENS = Task(kind="tokens", target="y", inputs=("x",), metric="entity_f1", classes=TAGS)
ANSWERS = Task(
    kind="matching", target="y", inputs=("x",), metric="mrr", classes=tuple(f"answer {k}" for k in range(30))
)


def labels(rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    target = (generator.random((rows, 3)) < [0.5, 0.2, 0.1]).astype(float)
    return target, 1 / (1 + np.exp(-(3 * (target - 0.5) + generator.normal(size=target.shape))))


def coded(rows: list[list[str]], width: int = 12) -> np.ndarray:
    codes = np.full((len(rows), width), -1)
    for place, row in enumerate(rows):
        codes[place, : len(row)] = [TAGS.index(tag) for tag in row]
    return codes


def said(codes: np.ndarray) -> np.ndarray:
    return np.where(codes[:, :, None] >= 0, np.eye(len(TAGS))[codes], np.nan)


def test_labels_score_as_scikit_learn_says() -> None:
    target, given = labels()
    weight = np.random.default_rng(1).integers(1, 4, len(target)).astype(float)
    decided = given >= 0.5
    expected = {
        "f1_micro": reference.f1_score(target, decided, average="micro", sample_weight=weight),
        "f1_macro": reference.f1_score(target, decided, average="macro", sample_weight=weight),
        "f1_samples": reference.f1_score(target, decided, average="samples", sample_weight=weight, zero_division=0),
        "hamming_loss": reference.hamming_loss(target, decided, sample_weight=weight),
        "accuracy": reference.accuracy_score(target, decided, sample_weight=weight),
        "roc_auc": reference.roc_auc_score(target, given, average="macro", sample_weight=weight),
        "average_precision": reference.average_precision_score(target, given, average="macro", sample_weight=weight),
        "log_loss": np.mean([reference.log_loss(target[:, k], given[:, k], sample_weight=weight) for k in range(3)]),
    }
    found = {one.name: one(LABELS, target, given, weight) for one in fitting(LABELS)}
    assert found == pytest.approx(expected, rel=1e-9)


# What conlleval and seqeval answer in their default mode (the examples of seqeval's README and of its tests).
KNOWN = [
    ([["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]],
     [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]], 0.5),
    ([["O", "B-PER", "I-PER", "B-LOC"]], [["O", "B-PER", "I-PER", "B-LOC"]], 1.0),
    ([["B-PER", "I-PER"]], [["O", "I-PER"]], 0.0),
    ([["O", "I-PER", "I-PER", "O"]], [["O", "B-PER", "I-PER", "O"]], 1.0),
    ([["O", "O"]], [["O", "O"]], 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("true", "given", "f1"), KNOWN)
def test_entities_score_as_seqeval_says(true: list[list[str]], given: list[list[str]], f1: float) -> None:
    assert metric("entity_f1")(TOKENS, coded(true), said(coded(given))) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-PER", "B-PER"], [("PER", 0, 0), ("PER", 1, 1)]),
        (["I-PER", "I-LOC"], [("PER", 0, 0), ("LOC", 1, 1)]),
        (["S-A", "B-A", "I-A", "E-A", "I-A"], [("A", 0, 0), ("A", 1, 3), ("A", 4, 4)]),
        (["B-date-time", "I-date-time"], [("date-time", 0, 1)]),
        (["person", "person", "O", "place"], [("person", 0, 1), ("place", 3, 3)]),
        (["B", "I", "O"], [("_", 0, 1)]),
        ([], []),
    ],
)
def test_entities_of_every_scheme(tags: list[str], expected: list[tuple[str, int, int]]) -> None:
    assert entities(tags) == expected


def test_words_score_as_scikit_learn_says_whatever_the_padding() -> None:
    generator = np.random.default_rng(0)
    target = np.where(np.arange(9) < generator.integers(1, 10, 60)[:, None], generator.integers(0, 7, (60, 9)), -1)
    shares = generator.dirichlet(np.ones(7), (60, 9))
    given = np.where(target[:, :, None] >= 0, shares, np.nan)
    here = target >= 0
    assert metric("accuracy")(TOKENS, target, given) == pytest.approx((shares[here].argmax(1) == target[here]).mean())
    expected = reference.f1_score(target[here], shares[here].argmax(1), average="macro")
    assert metric("f1_macro")(TOKENS, target, given) == pytest.approx(expected)
    assert metric("log_loss")(TOKENS, target, given) == pytest.approx(
        reference.log_loss(target[here], shares[here], labels=np.arange(7))
    )
    wider = np.concatenate([given, np.full((60, 4, 7), np.nan)], axis=1)
    assert metric("entity_f1")(TOKENS, target, wider) == metric("entity_f1")(TOKENS, target, given)


def test_words_that_were_not_read_count_as_wrong() -> None:
    target = coded([["B-PER", "O", "B-LOC"]])
    short = said(target)[:, :2]
    assert metric("accuracy")(TOKENS, target, short) == pytest.approx(2 / 3)
    assert metric("entity_recall")(TOKENS, target, short) == pytest.approx(1 / 2)
    assert metric("entity_precision")(TOKENS, target, short) == 1.0
    report = evaluate(TOKENS, np.repeat(target, 20, axis=0), np.repeat(short, 20, axis=0), bootstrap=10)
    assert any("20 of 60 words were not read" in one.what for one in report.findings)


def test_answers_score_by_the_rank_of_the_right_one() -> None:
    given = np.full((4, 30), 0.01)
    target = np.array([5, 6, 7, 8])
    given[np.arange(4), target] = 0.5
    given[1, 0] = 0.6  # second
    given[2, :4] = 0.6  # fifth
    given[3, :12] = 0.6  # thirteenth at best: its own place is 8, one of those above
    given[3, 8] = 0.5
    scores = {one.name: one(ANSWERS, target, given) for one in fitting(ANSWERS)}
    assert scores["accuracy"] == 0.25
    assert scores["recall_at_3"] == 0.5
    assert scores["recall_at_10"] == 0.75
    assert scores["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 12) / 4)
    # An answer that is no better than all others is no find.
    assert metric("mrr")(ANSWERS, target, np.full((4, 30), 1 / 30)) == pytest.approx(1 / 30)


def test_a_threshold_for_labels_is_kept_where_it_helps_on_rows_it_was_not_chosen_on() -> None:
    target, given = labels(600)
    shy = given * 0.4  # nothing is ever said at one half
    found = best_threshold(metric("f1_micro"), LABELS, target, shy)
    assert found < 0.4
    assert metric("f1_micro")(LABELS, target, shy) == 0.0
    assert best_threshold(metric("roc_auc"), LABELS, target, shy) == 0.5
    at = evaluate(LABELS, target, shy, threshold=found, bootstrap=10).figures["metrics"]["f1_micro"]
    assert at > 0.6


def test_answers_are_rejected_below_where_they_are_mostly_wrong() -> None:
    generator = np.random.default_rng(0)
    sure = generator.random(400)
    right = generator.random(400) < sure
    given = np.full((400, 2), 0.0)
    given[:, 0], given[:, 1] = 0.5 + sure / 2, 0.5 - sure / 2
    threshold = reject_threshold(np.where(right, 0, 1), given)
    assert 0.65 < threshold < 0.85  # true probability one half: 0.5 + 0.5 / 2
    assert reject_threshold(np.zeros(400, int), given) <= given.max(axis=1).min()
    assert (given.max(axis=1) < reject_threshold(np.ones(400, int), given)).mean() > 0.98


@pytest.mark.parametrize("task", [LABELS, TOKENS, ANSWERS], ids=lambda task: task.kind)
def test_reports_have_figures_findings_and_a_baseline(task: Task) -> None:
    generator = np.random.default_rng(3)
    if task is LABELS:
        target, given = labels(200)
    elif task is TOKENS:
        target = coded([["B-PER", "I-PER", "O"], ["O", "B-LOC"], ["O", "O", "O", "B-MISC"]] * 30)
        noise = generator.dirichlet(np.ones(len(TAGS)), target.shape)
        given = 0.6 * said(target) + 0.4 * noise
    else:
        target = generator.integers(0, 30, 200)
        given = 0.3 * np.eye(30)[target] + 0.7 * generator.dirichlet(np.ones(30), 200)
    report = evaluate(task, target, given, threshold=0.4 if task is not TOKENS else None, bootstrap=50)
    assert set(report.figures["metrics"]) == {one.name for one in fitting(task)}
    low, high = report.figures["intervals"][task.metric]
    assert low <= report.figures["metrics"][task.metric] <= high
    assert report.figures["metrics"][task.metric] > report.figures["baseline"][task.metric]
    assert report.findings[0].verdict == "pass"
    assert len(report.findings) >= 3
    assert loss(task.metric, task, target, given) == pytest.approx(1 - report.figures["metrics"][task.metric], abs=0.5)


def test_targets_and_predictions_of_other_shapes_are_refused() -> None:
    target, given = labels(20)
    with pytest.raises(InputError, match="shape"):
        metric("f1_micro")(LABELS, target[:, :2], given)
    with pytest.raises(InputError, match="shape"):
        metric("entity_f1")(TOKENS, coded([["O"]]), np.zeros((1, 7)))
    with pytest.raises(InputError, match="finite"):
        metric("f1_micro")(LABELS, target, np.full_like(given, np.nan))
