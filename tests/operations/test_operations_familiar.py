"""An evaluation on rows that a model learnt from says so, and keeps silent on rows that it did not see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import turning_rows as turning

from luban.core.recipe import Recipe, Step
from luban.core.schema import Column, Schema
from luban.data import versions
from luban.operations import familiar
from luban.operations.evaluate import Evaluated, evaluate
from luban.operations.fitting import kept_out
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN = turning.rows(400, turned=False, seed=1)
NEW = turning.rows(300, turned=False, seed=2)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose model learnt from the known rows."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        turning.champion(opened)
        yield opened


def said(found: Evaluated) -> str:
    return found.report.findings[0].what


def test_rows_that_were_learnt_from_are_told_with_their_number(workspace: Workspace) -> None:
    all_known = evaluate(workspace, "weather", KNOWN, bootstrap=0)
    assert (all_known.learnt, all_known.report.verdict) == (400, "warn")
    assert said(all_known) == "weather/1 has learnt from all rows: the figures flatter it"
    some = evaluate(workspace, "weather", pa.concat_tables([NEW, KNOWN.slice(0, 100)]), bootstrap=0)
    assert some.learnt == 100
    assert "100 of 400 rows" in said(some)
    new = evaluate(workspace, "weather", NEW, bootstrap=0)
    assert new.learnt == 0
    assert "learnt" not in said(new)


def test_another_true_value_makes_another_row(workspace: Workspace) -> None:
    """Rows with other answers were not learnt from as they are."""
    turned = KNOWN.set_column(
        2, "goal", pa.array(["no" if one == "yes" else "yes" for one in KNOWN["goal"].to_pylist()])
    )
    assert evaluate(workspace, "weather", turned, bootstrap=0).learnt == 0


def test_rows_that_are_equal_by_chance_are_not_told(workspace: Workspace) -> None:
    """Of coarse columns rows of any sample are equal to some that were learnt from."""
    _learn_from(workspace, _coarse(1))
    assert evaluate(workspace, "weather", _coarse(2), bootstrap=0).learnt == 0


def test_what_a_version_went_on_from_was_learnt_from_too(workspace: Workspace) -> None:
    _learn_from(workspace, NEW, Step(component="continue", name="continue", parameters={"from": "weather/1"}))
    assert evaluate(workspace, "weather/2", KNOWN, bootstrap=0).learnt == 400
    _learn_from(workspace, NEW, Step(component="continue", name="continue", parameters={"from": "weather/9"}))
    assert evaluate(workspace, "weather/3", KNOWN, bootstrap=0).learnt == 0, "what is deleted is known no more"


def test_data_that_are_damaged_keep_no_model_from_its_evaluation(workspace: Workspace) -> None:
    """The model is whole; of the rows it learnt from nothing is known any more."""
    (chunk,) = workspace.datasets.manifest(workspace.datasets.get("weather/1"))["chunks"]
    kept = Path(workspace.blobs.local(chunk["digest"]))
    kept.chmod(0o600)
    kept.write_bytes(b"other bytes")
    assert evaluate(workspace, "weather", KNOWN, bootstrap=0).learnt == 0


def test_of_large_data_a_part_is_compared(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(familiar, "_ROWS", 50)
    found = evaluate(workspace, "weather", KNOWN, bootstrap=0)
    assert found.learnt == 50
    assert "the first 50 were looked at" in said(found)


@pytest.mark.long
@pytest.mark.parametrize("most", [200, 1000])
def test_rows_that_a_fit_kept_out_are_none_that_it_learnt_from_in_a_part_of_large_data_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """They are known again by the whole target, of which a part alone is compared; by another target they are not, and
    then nothing is claimed."""
    monkeypatch.setattr(familiar, "_ROWS", most)
    goals = (np.array(KNOWN["goal"].to_pylist()) == "yes").astype(np.int64)
    run = workspace.runs.start("fit", {})
    kept_out.keep(workspace, run.id, np.arange(100), goals)
    _learn_from(workspace, KNOWN, run=run.id)
    assert evaluate(workspace, "weather", KNOWN.slice(0, 100), bootstrap=0).learnt == 0
    assert evaluate(workspace, "weather", KNOWN, bootstrap=0).learnt == min(most, 400) - 100
    kept_out.keep(workspace, run.id, np.arange(100), 1 - goals)
    assert evaluate(workspace, "weather", KNOWN, bootstrap=0).learnt == 0


def _coarse(seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    x, y = random.integers(-3, 4, size=(2, 400)).astype(float)
    return pa.table({"x": x, "y": y, "goal": np.where(random.random(400) < 0.5, "yes", "no")})


def _learn_from(workspace: Workspace, rows: pa.Table, *steps: Step, run: str | None = None) -> None:
    """Register the same model once more, as one that learnt from other rows."""
    columns = (*turning.SCHEMA.columns, Column(name="goal", kind="category"))
    kept = versions.add_version(
        workspace, rows.to_batches(), name="other", schema=Schema(columns=columns), source="tests"
    )
    first = workspace.models.get("weather/1")
    version = workspace.models.register(
        name="weather",
        artifact=first.artifact,
        signature=first.signature,
        task=first.task,
        dataset=kept.reference,
        run=run,
        recipe=Recipe(steps=steps, seed=0),
    )
    workspace.models.set_alias("weather", "champion", version.version)
