"""Beside a server: what goes wrong with a process is told, and ends no thread."""

from __future__ import annotations

import queue
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import turning_rows as turning

from luban.operations import beside
from luban.operations.deploy import deploy
from luban.operations.updates.set import updates_set
from luban.operations.updating import beside as updates
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long
PATIENCE = 600.0
"""Seconds after which something that should come is said not to come."""


def test_a_process_that_cannot_begin_or_says_no_json_ends_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory for a fork, a last line that is no JSON, and one that is no object: each is told as a defect, another
    name is looked at all the same, and the next look's update is told as it should be."""
    told: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
    lines = iter(["", "a warning in place of an answer", "[1]", '{"outcome": "promoted", "reason": "better"}'])

    def started(_module: str, request: dict[str, Any]) -> subprocess.Popen[str]:
        said = '{"outcome": "asked", "reason": "another"}' if request["name"] == "other" else next(lines)
        if not said:
            raise OSError(12, "Cannot allocate memory")
        return subprocess.Popen([sys.executable, "-S", "-c", f"print({said!r})"], stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(beside, "_started", started)
    monkeypatch.setattr(beside, "LOOK", 0.01)
    monkeypatch.setattr(updates, "AFTER_FAILURE", 0.0)
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        turning.champion(workspace)
        for name in ("first", "other"):
            deploy(workspace, name, "weather")
            updates_set(workspace, name, on="labels")
        mine: list[tuple[str, dict[str, Any]]] = []
        with updates.updating(workspace, tell=lambda event, **details: told.put((event, details))):
            while len(mine) < 4:
                event, details = told.get(timeout=PATIENCE)
                if details["subject"] == "first":
                    mine.append((event, details))
                else:
                    assert (event, details["outcome"]) == ("update", "asked")
    assert [event for event, _ in mine] == ["defect", "defect", "defect", "update"]
    for (_, details), words in zip(mine, ["allocate memory", "JSONDecodeError", "[1]"], strict=False):
        assert words in details["error"]
    assert mine[-1][1]["outcome"] == "promoted"


def test_a_process_that_says_much_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a pipe holds, before the answer: nobody waits for the other."""
    program = "print('a warning\\n' * 100_000); print('{\"outcome\": \"waiting\"}')"
    command = [sys.executable, "-S", "-c", program]
    monkeypatch.setattr(beside, "_started", lambda *_: subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    assert beside.Beside("tests").process("any", {}) == {"outcome": "waiting"}
