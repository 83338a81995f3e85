"""What the report of a fit draws of the way to its model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luban.core.report import Report
from luban.operations.fitting.course import with_course
from luban.search.result import LeaderboardRow
from luban.testing.check import check_report

LOSSES = {
    "training_loss": ((1, 0.9), (2, 0.8), (3, 0.6), (4, 0.5)),
    "validation_loss": ((2, 0.85), (4, 0.7)),
}
OTHERS = {"learning_rate": ((1, 1e-5), (2, 2e-5), (3, 1e-5)), "rows_per_second": ((1, 90.0), (2, 91.0), (3, 92.0))}


def line(learner: str, **changes: Any) -> LeaderboardRow:
    given = {"parameters": "", "score": 0.9, "fit_seconds": 1.0, "weight": 0.5, "state": "finished"}
    return LeaderboardRow(learner=learner, **{**given, **changes})


def drawn(*lines: LeaderboardRow) -> Report:
    empty = Report(check="evaluation", subject="model", verdict="info", findings=())
    result: Any = SimpleNamespace(leaderboard=lines, findings=())
    return with_course(empty, result)


def test_losses_share_a_picture_and_each_other_figure_has_its_own() -> None:
    tuned = line("tuned", parameters="way=lora", curve=LOSSES["validation_loss"], curves={**LOSSES, **OTHERS})
    (finding,) = drawn(tuned, line("left_out", weight=0.0, curves=LOSSES)).findings
    assert finding.what == "How tuned learnt, step by step"
    loss, rate, speed = finding.evidence
    assert loss.title == "tuned way=lora: loss"
    assert loss.columns == ("step", "training loss", "validation loss")
    assert [row[:2] for row in loss.rows if row[1] is not None] == list(LOSSES["training_loss"])
    assert [(row[0], row[2]) for row in loss.rows if row[2] is not None] == list(LOSSES["validation_loss"])
    assert rate.rows == OTHERS["learning_rate"]
    assert speed.y == "rows per second"


def test_what_fits_were_compared_by_is_drawn_where_it_is_another_loss() -> None:
    """A network that is judged by its decisions stops by the share of wrong ones, not by the loss it learns from."""
    stopped = ((1, 0.3), (2, 0.2), (3, 0.1))
    (finding,) = drawn(line("tuned", curve=stopped, curves=LOSSES)).findings
    assert [one.title for one in finding.evidence] == ["tuned: loss", "tuned: the loss that fits are compared by"]
    assert finding.evidence[1].rows == stopped


def test_others_show_the_loss_that_they_reported() -> None:
    """Too few points are not drawn, and without a picture there is no finding."""
    falls = ((1, 0.3), (2, 0.2), (3, 0.1))
    report = drawn(line("tuned", curves=LOSSES), line("trees", curve=falls), line("short", curve=falls[:2]))
    assert [one.what for one in report.findings][1:] == ["Loss on held-out rows while trees learnt"]
    assert report.findings[1].evidence[0].rows == falls
    assert drawn(line("probe", curves={"training_loss": ((1, 0.5),)}), line("short", curve=falls[:2])).findings == ()


def test_each_series_is_one_unbroken_line() -> None:
    """Evaluations are rarer than steps: their line goes from one to the next all the same."""
    pytest.importorskip("markupsafe")
    from luban.surfaces.render.charts.draw import draw

    report = drawn(line("tuned", curves={**LOSSES, **OTHERS}))
    paths = [str(draw(one, str(key))).count('class="line') for key, one in enumerate(report.findings[0].evidence)]
    assert paths == [2, 1, 1]
    check_report(report)
