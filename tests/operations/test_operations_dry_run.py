"""A fit that is only planned tells what it would try and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from luban.core.errors import InputError
from luban.core.serial import to_json
from luban.operations.fit import FitPlan, fit
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"a": i % 7, "b": i % 5, "y": "yes" if i % 7 > 3 else "no"} for i in range(80)]


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    """Lines say what runs and why not; no data set, run, model or cache is there afterwards."""
    with Workspace.open(tmp_path / ".luban") as workspace:
        plan = fit(workspace, ROWS, target="y", budget=20.0, dry_run=True)
        assert isinstance(plan, FitPlan)
        assert plan.rows == 80
        assert plan.task == "binary"
        runs = {line.learner for line in plan.lines if line.runs}
        assert {"constant", "linear", "lightgbm"} <= runs
        (probe,) = (line for line in plan.lines if line.learner == "linear_probe")
        assert not probe.runs
        assert probe.reason
        assert to_json(plan)["lines"]
        assert not workspace.datasets.list()
        assert not workspace.runs.list()
        assert not workspace.models.list()
        assert not (workspace.root / "cache").exists()


def test_a_plan_checks_what_a_fit_checks(tmp_path: Path) -> None:
    """A target of one value is refused by a plan too."""
    with Workspace.open(tmp_path / ".luban") as workspace, pytest.raises(InputError):
        fit(workspace, [{"a": i, "y": "same"} for i in range(30)], target="y", dry_run=True)
