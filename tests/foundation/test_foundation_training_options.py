"""What a training may be told: weights of classes, mixed and varied rows, smoothed labels, patience."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import torch
from foundation_rows import backbone, problem

from luban.core.budget import Effort
from luban.core.preparation import Augmenting
from luban.core.protocols import Examples
from luban.foundation.adapt import adapt
from luban.foundation.adapted import load
from luban.foundation.heads.objective import objective_for
from luban.foundation.network import Network
from luban.foundation.training.loss import Loss, Mix, mixing

PLAIN: dict[str, Any] = {"batch": 8, "precision": "float32", "learning_rate": 1e-3, "epochs": 2.0}


def learnt(kind: str, **options: Any) -> Any:
    augmentation = options.pop("augmentation", None)
    task, training = problem(kind, "binary", 24)
    return adapt(
        backbone(kind),
        "full",
        task,
        task.inputs,
        training,
        None,
        parameters={**PLAIN, **options},
        effort=Effort(seed=1),
        augmentation=augmentation,
    )


@pytest.mark.parametrize(("kind", "codes"), [("binary", [0] * 9 + [1]), ("multiclass", [0] * 8 + [1, 2])])
def test_balanced_classes_weigh_the_same(kind: str, codes: list[int]) -> None:
    """The weights of each class's rows add up to the same; smoothing spreads a share of each label."""
    task, _ = problem("text", kind, 4)
    target = np.array(codes)
    even = objective_for(task, target, balanced=True)
    sums = [float(even.weights(torch.from_numpy(target))[target == code].sum()) for code in set(codes)]
    assert sums == pytest.approx([len(codes) / len(sums)] * len(sums))
    plain = objective_for(task, target)
    assert plain.weights(torch.from_numpy(target)).tolist() == [1.0] * len(codes)
    width, sure = plain.width, torch.tensor(target)
    margins = 50.0 * (torch.nn.functional.one_hot(sure, width).float() if width > 1 else 2.0 * sure[:, None] - 1.0)
    smooth = objective_for(task, target, smoothing=0.1)
    assert float(plain.losses(margins, sure).max()) < 1e-6
    assert float(smooth.losses(margins, sure).min()) > 1.0


@pytest.mark.long
def test_a_training_heeds_the_weights_of_classes() -> None:
    """Where one row of ten is positive, answers lean to the other class, unless classes weigh the same."""
    task, training = problem("text", "binary", 200)
    rare = np.flatnonzero(training.target == 1)[:12]
    rows = np.sort(np.concatenate([np.flatnonzero(training.target == 0), rare]))
    few = Examples(table=training.table.take(rows), target=training.target[rows])
    leaning = []
    for balanced in (False, True):
        parameters = {**PLAIN, "balanced": balanced, "probe_first": False}
        made = adapt(backbone("text"), "full", task, task.inputs, few, None, parameters=parameters, effort=Effort())
        leaning.append(float(made.margins(few.table).mean()))
    assert leaning[0] < -1.5
    assert leaning[1] > leaning[0] + 1.0


@pytest.mark.long
def test_mixed_rows_bear_a_share_of_both_labels() -> None:
    """Pictures are mixed as they come in, tokens as vectors; a share of 1 is the row itself."""
    for kind in ("image", "text"):
        task, training = problem(kind, "multiclass", 6)
        made = backbone(kind)
        objective = objective_for(task, training.target)
        loss = Loss(Network(made.body, objective.head(made.dimension, 0.0)).eval(), objective, "float32")
        tensors = {name: torch.from_numpy(one) for name, one in made.preparation(("input",))(training.table).items()}
        target, partners = objective.encode(training.target), torch.tensor([5, 4, 3, 2, 1, 0])
        whole = loss(tensors, target)
        torch.testing.assert_close(loss(tensors, target, None, Mix(1.0, partners)), whole)
        other = {name: one[partners] for name, one in tensors.items()}
        torch.testing.assert_close(loss(tensors, target, None, Mix(0.0, partners)), loss(other, target[partners]))
        half = loss(tensors, target, None, Mix(0.5, partners))
        torch.testing.assert_close(half, loss(other, target[partners], None, Mix(0.5, partners)))
        assert not torch.allclose(half, whole)
    draw, here = np.random.default_rng(0), torch.device("cpu")
    assert mixing(0.0, 8, draw, here) is None
    assert mixing(0.4, 1, draw, here) is None
    drawn = mixing(0.4, 8, draw, here)
    assert drawn is not None
    assert sorted(drawn.partners.tolist()) == list(range(8))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["text", "image", "audio"])
def test_rows_are_varied_while_a_network_learns_and_the_model_tells_how(kind: str) -> None:
    """By the seed: the same one gives the same weights, none gives others, and what was saved says what was done."""
    preparation = backbone(kind).preparation(("input",))
    assert isinstance(preparation, Augmenting)
    space = {name: one for name, one in preparation.augmentations.items() if name != "mixup"}
    varied = {name: getattr(one, "high", True) for name, one in space.items()}
    one, again, plain = (
        learnt(kind, augmentation=given, mixup=0.3 if given else 0.0) for given in (varied, varied, None)
    )
    _, training = problem(kind, "binary", 24)
    answers = [made.margins(training.table) for made in (one, again, plain)]
    assert np.array_equal(answers[0], answers[1])
    assert not np.allclose(answers[0], answers[2], atol=1e-6)
    back = load(one.save())
    assert back.augmentation == varied
    assert back.training["mixup"] == 0.3


@pytest.mark.long
def test_training_ends_where_nothing_gets_better_and_keeps_the_best() -> None:
    """At a rate that spoils the network each evaluation is worse: after `patience` of them it ends."""
    task, training = problem("text", "multiclass", 48)
    _, held = problem("text", "multiclass", 24, seed=9)
    parameters = {**PLAIN, "learning_rate": 0.5, "epochs": 50.0, "patience": 2, "clip": 1e6}
    made = adapt(backbone("text"), "full", task, task.inputs, training, held, parameters=parameters, effort=Effort())
    judged = [one.criterion for one in made.history if one.criterion is not None]
    best = int(np.argmin(judged))
    assert len(judged) <= best + 3
    assert made.history[-1].step < 50 * math.ceil(48 / 8)
    margins = torch.from_numpy(made.margins(held.table))
    loss = float(torch.nn.functional.cross_entropy(margins, torch.from_numpy(held.target)))
    assert loss == pytest.approx(judged[best], rel=1e-3)
