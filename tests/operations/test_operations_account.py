"""The page of a fit tells the whole story: leaderboard, budget and what it went into, data and fingerprint, run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from luban.operations.fit import Fit, fit
from luban.store import Workspace
from luban.surfaces.render import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [{"a": i % 7, "b": i % 5, "note<b>": f"n{i % 3}", "y": "yes" if i % 7 > 3 else "no"} for i in range(80)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.open(tmp_path_factory.mktemp("account") / ".luban") as opened:
        yield opened


@pytest.fixture(scope="module")
def made(workspace: Workspace) -> Fit:
    return fit(workspace, ROWS, target="y", budget=4, learners=("linear", "constant", "lightgbm"), name="small", seed=5)


def test_the_page_holds_all_that_a_reader_asks_for(workspace: Workspace, made: Fit, tmp_path: Path) -> None:
    page.write(made, tmp_path / "fit.html")
    text = (tmp_path / "fit.html").read_text()
    dataset = workspace.datasets.get(made.dataset)
    for word in (
        made.model,
        made.run,
        made.dataset,
        dataset.fingerprint,
        "Leaderboard",
        "budget of 4 s",
        "note&lt;b&gt;",
    ):
        assert word in text
    for line in made.leaderboard:
        assert line.learner in text
    assert text.index("Leaderboard") < text.index("Scores"), "how it came about is told before how good it is"
    assert not re.search(r"(src|href)=\"http", text)


def test_the_parts_of_the_time_are_the_whole_and_fit_the_budget(made: Fit) -> None:
    assert made.course is not None
    parts = made.course.figures["seconds"]
    assert all(seconds >= 0 for seconds in parts.values())
    assert sum(parts.values()) == pytest.approx(made.seconds, rel=0.2, abs=0.3)
    assert made.course.figures["budget"] == 4
    work = next(one for finding in made.course.findings for one in finding.evidence if one.title == "Work by learner")
    assert sum(row[1] for row in work.rows) == sum(line.state != "unsuitable" for line in made.leaderboard)
    assert sum(row[4] for row in work.rows) == pytest.approx(1, abs=1e-3)


def test_the_account_is_kept_with_the_model(workspace: Workspace, made: Fit) -> None:
    assert made.course is not None
    kept = workspace.blobs.get_json(workspace.models.get(made.model).reports["fit"])
    assert kept["figures"]["fingerprint"] == made.course.figures["fingerprint"]


def test_a_score_of_fewer_folds_says_so_in_words(made: Fit) -> None:
    short = [line for line in made.leaderboard if line.state == "finished" and line.folds < 8]
    assert all(f"judged on {line.folds} of 8 folds, so its score is less sure" in line.reason for line in short)
    assert all("folds" not in line.reason for line in made.leaderboard if line.folds >= 8)
