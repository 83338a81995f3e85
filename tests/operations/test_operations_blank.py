"""Empty texts are answered, and whoever asked is told how many there were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from luban.operations.evaluate import evaluate
from luban.operations.fit import fit
from luban.operations.predict import predict

if TYPE_CHECKING:
    from luban.store import Workspace


@pytest.mark.long
def test_empty_texts_are_told_by_predict_and_evaluate(workspace: Workspace) -> None:
    """Once for all rows, in words; rows that all have a text are told nothing."""
    words = ("the room was clean", "nobody came to help us", "we will be back soon", "it smelt of smoke all night")
    rows = [{"review": f"{words[i % 4]} and number {i} said it too", "good": i % 2 == 0} for i in range(80)]
    fit(workspace, rows, target="good", rounds=1, learners=("constant",), name="m")
    empty = [*rows[:6], {"review": "  ", "good": True}, {"review": None, "good": False}]
    said = "2 of 8 rows have nothing in 'review': their answers rest on nothing that was said"
    assert predict(workspace, "m", empty).notes[-1] == f"{said}."
    assert said in [one.what for one in evaluate(workspace, "m", empty, bootstrap=10).report.findings]
    assert not any("have nothing" in one for one in predict(workspace, "m", rows).notes)
