"""The ensemble: a weighted mean, calibrated, explained and written as one graph."""

from dataclasses import replace

import numpy as np
import pytest
from test_learners_artifact import model

from luban.core.errors import InputError, Unsupported
from luban.export.onnx.build import build
from luban.export.onnx.parity import measure
from luban.learners import link
from luban.testing.learner import examples_of

KINDS = ["binary", "multiclass", "regression", "quantile"]


@pytest.mark.parametrize("kind", KINDS)
def test_its_graph_predicts_the_same(kind: str) -> None:
    """Temperature, shifts and all."""
    one = model(kind)
    measured = measure(one, build(one), examples_of(one.task, 200, 9).table)
    assert measured.difference <= measured.limit / 50


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_sum_to_the_mean_margin(kind: str) -> None:
    """Of the members' margins, over the temperature."""
    one = model(kind).model
    table = examples_of(one.task, 30, 9).table
    values, base = one.contributions(table)
    margins = 0.0
    for member, share in zip(one.members, one.shares, strict=True):
        if hasattr(member, "kernel"):
            margin = member.kernel.margins(member.encoding.transform(table))
        else:
            prediction = member.predict(table)
            margin = link.margins(one.task, prediction) if one.task.classifies else prediction.reshape(30, -1)
        margins = margins + share * margin / one.temperature
    expected = margins + np.array(one.shifts or 0.0)
    found = values.sum(axis=1) + base
    if kind == "multiclass":  # logits are free up to a constant a row
        found, expected = (one_ - one_.mean(axis=1, keepdims=True) for one_ in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_temperature_keeps_the_order_and_softens() -> None:
    """Above 1 the probabilities move towards each other and the likeliest class stays."""
    one = replace(model("multiclass").model, temperature=1.0)
    table = examples_of(one.task, 50, 9).table
    hot, plain = replace(one, temperature=3.0).predict(table), one.predict(table)
    assert (hot.argmax(axis=1) == plain.argmax(axis=1)).all()
    assert (hot.max(axis=1) < plain.max(axis=1)).all()


def test_members_without_reasons_are_left_out_or_refused() -> None:
    """A silent member is left out while most of the weight explains itself, and refused beyond that."""
    one = model("binary").model

    class Silent:
        learner, learned = "silent", {}

        def predict(self, table: object) -> np.ndarray:
            return one.predict(table)

        def save(self) -> dict[str, bytes]:
            return {}

    table = examples_of(one.task, 5, 9).table
    mostly = replace(one, members=(Silent(), *one.members[1:]))
    assert mostly.explained == pytest.approx(0.8)
    assert mostly.contributions(table)[0].shape == (5, 6, 1)
    with pytest.raises(Unsupported, match="silent"):
        replace(mostly, weights=(0.9, 0.05, 0.05)).contributions(table)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": (1.0,)},
        {"weights": (0.0, 0.0, 0.0)},
        {"weights": (-1.0, 1.0, 1.0)},
        {"temperature": 0.0},
        {"threshold": 2.0},
    ],
)
def test_nonsense_is_refused(change: dict[str, object]) -> None:
    """Weights that are no weights, a temperature of zero, a threshold that is no probability."""
    with pytest.raises(InputError):
        replace(model("binary").model, **change)
