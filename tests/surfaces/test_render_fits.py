"""A fit and its plan say why in whole sentences, however narrow the terminal is."""

from __future__ import annotations

import pytest
from rich.console import Console

from luban.operations.fit import Fit, FitPlan, LeaderboardLine, PlanLine
from luban.surfaces.render import looks

SHALLOW = "judged on 1 of 8 folds, so its score says little beside those of candidates that were judged on all of them"
COLUMNS = "it learns from columns of a table, and the inputs are one text that no column of a table stands for"


def shown(result: object, width: int) -> str:
    """Return what is shown, its lines joined."""
    console = Console(width=width, record=True, force_terminal=False, file=None)
    with console.capture() as captured:
        looks.show(result, console)
    return " ".join(captured.get().split())


@pytest.mark.parametrize("width", [80, 120])
def test_reasons_of_a_leaderboard_are_whole_and_each_is_said_once(width: int) -> None:
    lines = (
        LeaderboardLine(learner="linear", score=0.9, fit_seconds=1.0, weight=1.0, parameters="a" * 200),
        LeaderboardLine(learner="text_ngrams", score=0.8, fit_seconds=1.0, weight=0.0, reason=SHALLOW),
        LeaderboardLine(learner="constant", score=0.5, fit_seconds=1.0, weight=0.0, reason=SHALLOW),
        *(
            LeaderboardLine(learner=name, score=None, fit_seconds=0.0, weight=0.0, state="unsuitable", reason=COLUMNS)
            for name in ("catboost", "xgboost", "catboost")
        ),
    )
    made = Fit(
        model="m/1", run="r", dataset="d/1", task="binary", metric="roc_auc", score=0.9, seconds=1.0, leaderboard=lines
    )
    text = shown(made, width)
    assert f"text_ngrams, constant: {SHALLOW}" in text
    assert f"catboost (2 times), xgboost: {COLUMNS}" in text
    assert text.count(COLUMNS) == text.count(SHALLOW) == 1
    assert "roc auc" in text


@pytest.mark.parametrize("width", [80, 120])
def test_reasons_of_a_plan_are_whole(width: int) -> None:
    plan = FitPlan(
        task="binary",
        metric="roc_auc",
        rows=100,
        budget=60.0,
        lines=(
            PlanLine(
                learner="fine_tune", way="full", parameters="way=full", seconds=14.3, memory=2 << 30, note=SHALLOW
            ),
            PlanLine(learner="xgboost", runs=False, reason=COLUMNS),
            PlanLine(learner="fine_tune", way="prefix", runs=False, reason=COLUMNS),
        ),
    )
    text = shown(plan, width)
    assert f"fine_tune full: {SHALLOW}" in text
    assert f"xgboost, fine_tune prefix: {COLUMNS}" in text
    assert "14.3 2.15" in text
