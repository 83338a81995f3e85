"""Every installed metric keeps the protocol, and the check itself catches those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from luban.core import plugins
from luban.core.report import Evidence, Finding, Report
from luban.testing.check import check_report
from luban.testing.metric import check_metric


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_every_metric_keeps_the_protocol(name: str) -> None:
    """Finite, deterministic, right sense, free of row order, weights as repetition."""
    check_metric(plugins.create("metrics", name))


@dataclass
class Broken:
    """rmse with one defect."""

    defect: str
    name: str = "broken"
    greater_is_better: bool = False
    kinds: tuple[str, ...] = ("regression",)

    def __call__(self, task: Any, target: Any, prediction: Any, weight: Any = None) -> Any:
        if self.defect == "order":
            prediction = prediction + (target[0] > target[-1])
        if self.defect == "mutates":
            prediction += 1
        score = plugins.create("metrics", "rmse")(
            task, target, prediction, None if self.defect == "weights" else weight
        )
        if self.defect == "type":
            return str(score)
        return -score if self.defect == "sense" else score


@pytest.mark.parametrize("defect", ["order", "mutates", "weights", "type", "sense"])
def test_the_check_catches_a_broken_metric(defect: str) -> None:
    """Each planted defect is found; without one the metric passes."""
    check_metric(Broken(defect="none"))
    with pytest.raises(AssertionError):
        check_metric(Broken(defect=defect))


GOOD = Finding(what="fine", verdict="pass", evidence=(Evidence(title="t", columns=("a", "b"), rows=((1, 2.0),)),))


@pytest.mark.parametrize(
    ("verdict", "finding"),
    [
        ("warn", GOOD),
        ("warn", Finding(what="bad", verdict="warn")),
        ("info", Finding(what=" ")),
        ("info", Finding(what="x", evidence=(Evidence(title="t", columns=("a",), rows=((1, 2),)),))),
        ("info", Finding(what="x", evidence=(Evidence(title="t", columns=("a",), rows=((object(),),)),))),
        (
            "info",
            Finding(what="x", evidence=(Evidence(title="t", columns=("a", "b"), rows=(("a", "b"),), drawing="bar"),)),
        ),
    ],
)
def test_the_check_catches_a_broken_report(verdict: Any, finding: Finding) -> None:
    """A verdict that is not the worst, a warning without remedy, ragged rows and undrawable values are found."""
    check_report(Report(check="c", subject="s", verdict="pass", findings=(GOOD,)))
    with pytest.raises(AssertionError):
        check_report(Report(check="c", subject="s", verdict=verdict, findings=(finding,)))
