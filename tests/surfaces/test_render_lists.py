"""Lists in the terminal: at 80 columns no word is broken letter by letter, however long the names are."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from luban.core.run import Run
from luban.core.update import Approval
from luban.operations.approvals.show import ApprovalShown
from luban.operations.models.list_ import ModelLine, ModelList
from luban.operations.runs.list_ import RunList
from luban.operations.updates.list_ import UpdateLine, UpdateList
from luban.surfaces.render import looks

LONG = "customer_churn_of_northern_europe"
REASON = "the challenger is no better than the champion: 0.8124 against 0.8131 (95 % interval -0.0113 to 0.0098)"


def shown(result: object, width: int) -> str:
    """What a terminal of this width is sent."""
    stream = io.StringIO()
    looks.show(result, Console(file=stream, width=width))
    return stream.getvalue()


def wide(result: object) -> str:
    """What a wide terminal is sent."""
    return shown(result, 160)


def updates(subject: str, count: int = 3) -> UpdateList:
    """A list of updates of one name."""
    line = UpdateLine(
        run="20261122-192345-4f3a2b",
        subject=subject,
        started=datetime(2026, 11, 22, 19, 23, tzinfo=UTC),
        outcome="refused",
        champion=f"{subject}/12",
        challenger=f"{subject}/13",
        why="labels came: 1,204 since the last update",
        reason=REASON,
    )
    return UpdateList(updates=(line,) * count)


@pytest.mark.parametrize("subject", ["price", LONG])
def test_words_of_a_list_stay_whole_at_80_columns(subject: str) -> None:
    """Every word of every cell is on some line, and no line is wider than the terminal."""
    text = shown(updates(subject), 80)
    assert max(map(len, text.splitlines())) <= 80
    found = set(text.split())
    for word in ("20261122-192345-4f3a2b", "refused", f"{subject}/13", "challenger", *REASON.split()):
        assert word in found, word


def test_a_list_is_a_table_where_there_is_room() -> None:
    """One record a line, under the names of the columns."""
    text = shown(updates("price"), 240)
    assert len([line for line in text.splitlines() if "price/13" in line]) == 3
    assert len([line for line in text.splitlines() if "challenger" in line and "outcome" in line]) == 1


def test_scores_of_versions_stand_with_their_metric_and_runs_show_what_they_are_sorted_by() -> None:
    """A list of models has models of many metrics; 0.9 of one does not compare with 0.2 of another."""
    made = datetime(2026, 1, 2, tzinfo=UTC)
    known: dict[str, Any] = {
        "task": "binary",
        "target": "goal",
        "dataset": None,
        "run": None,
        "created": made,
        "aliases": (),
    }
    lines = (
        ModelLine(model="a/1", metric="roc_auc", score=0.9, **known),
        ModelLine(model="b/1", metric="log_loss", score=0.2, **known),
    )
    for signed in (False, True):
        told = wide(ModelList(models=(lines[0], replace(lines[1], signed=signed))))
        assert "roc_auc 0.9" in told
        assert "log_loss 0.2" in told
    run = Run(id="r1", operation="track", request={}, state="finished", started=made, scores={"f1": 0.25, "score": 1.5})
    assert "0.25" in wide(RunList(runs=(run,), order_by="f1"))
    assert "1.5" in wide(RunList(runs=(run,)))


def test_what_is_asked_of_a_person_is_told_in_words() -> None:
    """No names of fields and no numbers without their meaning: what shall happen, and which gates were passed."""
    made = datetime(2026, 1, 2, tzinfo=UTC)
    gates = {
        "quality": {"value": 0.97, "threshold": 0.9, "verdict": "pass"},
        "size": {"value": 4, "threshold": 3, "verdict": "block"},
    }
    detail = {"champion": "m/1", "challenger": "m/2", "deployment": "shop", "why": "it was asked for", "gates": gates}
    known: dict[str, Any] = {
        "id": "x1",
        "action": "promote",
        "subject": "shop",
        "reference": "m/2",
        "asked": made,
        "asker": "ada",
    }
    asked = Approval(state="open", expires=made + timedelta(days=7), detail=detail, **known)
    for said in (wide((asked,)), wide(asked), wide(ApprovalShown(approval=asked))):
        told = " ".join(said.split())
        assert "m/2 instead of m/1 in deployment shop?" in told
        assert "1 of 2 passed; not: size" in told
        assert "open until 2026-01-09" in told
        assert "verdict" not in told
        assert "=" not in told
    assert "luban approvals approve x1" in wide(ApprovalShown(approval=asked))
    alias = replace(asked, detail={**detail, "deployment": None}, state="approved", decider="bob", decided=made)
    assert "as champion of shop?" in " ".join(wide(alias).split())
    assert "approved by bob" in wide(alias)
