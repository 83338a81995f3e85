"""The learning curve of a registered model: what it shows is true and repeatable, and every face draws it."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest

from luban.core.budget import Duration
from luban.core.errors import InputError, OutOfTime
from luban.operations.curve import curve
from luban.operations.fit import fit
from luban.store import Workspace
from luban.surfaces.render import page
from luban.surfaces.render.looks import show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    import pandas as pd

    with Workspace.open(tmp_path_factory.mktemp("curve") / ".luban") as opened:
        random = np.random.default_rng(0)
        table = pd.DataFrame(random.normal(size=(900, 6)), columns=list("abcdef"))
        table["y"] = table["a"] * table["b"] + np.sin(2 * table["c"]) + 0.1 * random.normal(size=900)
        table["day"] = np.arange(900)
        fit(opened, table, target="y", rounds=1, learners=("nearest_neighbours",), ignore=("day",), name="growing")
        fit(opened, table, target="y", rounds=1, learners=("linear",), time="day", name="timed")
        yield opened


def test_more_rows_make_it_better_where_there_is_more_to_learn(workspace: Workspace, tmp_path: Path) -> None:
    """The error falls from the fewest to all rows, the law foretells a further fall, and each face draws it."""
    from rich.console import Console

    before = len(workspace.models.list())
    made = curve(workspace, "growing", budget=Duration(3000))
    assert made.metric == "rmse"
    assert [point.rows for point in made.points] == sorted({720 >> power for power in range(5)})
    assert made.points[-1].score < 0.8 * made.points[0].score
    assert all(point.lowest <= point.score <= point.highest for point in made.points)
    assert made.report.figures["gain"] < 0
    assert len(workspace.models.list()) == before
    page.write(made, tmp_path / "curve.html")
    text = (tmp_path / "curve.html").read_text()
    assert "<svg" in text
    assert "twice the rows" in text
    console = Console(file=StringIO(), width=100)
    show(made, console)
    assert "twice the rows" in console.file.getvalue()


def test_the_same_seed_draws_the_same_curve_in_time(workspace: Workspace) -> None:
    first, again = (curve(workspace, "timed", budget=Duration(3000), seed=3) for _ in range(2))
    assert first.points == again.points


def test_a_budget_too_short_and_a_model_without_a_fit_are_told(workspace: Workspace) -> None:
    with pytest.raises(OutOfTime, match="two sizes"):
        curve(workspace, "growing", budget=Duration(1e-9))
    version = workspace.models.get("growing")
    workspace.models.register(
        name="bare", artifact=version.artifact, signature=version.signature, task=version.task, reports={}
    )
    with pytest.raises(InputError, match="no record"):
        curve(workspace, "bare")
