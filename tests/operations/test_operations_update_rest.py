"""After an update that failed its name rests, for all servers that share the workspace."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import turning_rows as turning

from luban.core.errors import Unavailable
from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.operations.beside import Beside
from luban.operations.deploy import deploy
from luban.operations.updates.set import updates_set
from luban.operations.updating import beside as updates
from luban.operations.updating import challenger
from luban.operations.updating.rest import failed_lately
from luban.operations.updating.round import update_once
from luban.store import Workspace, clock

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from luban.core.run import Run

pytestmark = pytest.mark.long


class Server(updates._Policies):
    """What a server does with the policies, in this process; what its updates came to is told in `outcomes`."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace.open(root)
        self.outcomes: list[str] = []
        super().__init__(self.workspace, (), Beside("updates", self._told))

    def _told(self, _event: str, **details: Any) -> None:
        self.outcomes.append(details["outcome"])

    def _process(self, name: str) -> dict[str, Any]:
        try:
            done = update_once(self.workspace, name, None, self.workspace.policies.list()[name])
        except Unavailable as error:
            return {"outcome": "failed", "reason": str(error)}
        return {"outcome": done.outcome, "reason": done.reason}


def test_the_record_decides_when_an_update_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one workspace, and updates that fail: neither tries again before the minute is over, by the clock
    that is handed in; then one does, and the other waits for that one's minute. What went well ends the rest."""
    moment: list[datetime] = []
    tries: list[str] = []
    make = challenger.make

    def fails(*_given: Any, **_options: Any) -> Any:
        tries.append("failed")
        raise Unavailable("nothing can be learnt now")

    def after(run: Run, seconds: float) -> None:
        assert run.ended is not None
        moment[:] = [run.ended + timedelta(seconds=seconds)]

    monkeypatch.setattr(LocalExecutor, "of_this_machine", classmethod(lambda cls: InlineExecutor()))
    monkeypatch.setattr(challenger, "make", fails)
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    monkeypatch.setattr(updates, "GAP", 0.0)
    monkeypatch.setattr(updates, "AFTER_FAILURE", 0.0)  # what a server knows by itself; the record knows more
    root = tmp_path / ".luban"
    with Workspace.open(root, actor="ada") as workspace:
        turning.champion(workspace)
        deploy(workspace, "weather", "weather")
        turning.logged(workspace, turning.rows(600, turned=True, seed=2))
        updates_set(workspace, "weather", on="labels", labels=100, rounds=1, way="retrain", gate=("latency=off",))
    one, other = Server(root), Server(root)
    with one.workspace, other.workspace as workspace:
        one.look()
        assert (tries, one.outcomes) == (["failed"], ["failed"])
        (first,) = workspace.runs.list(operation="update", state="failed")
        after(first, 59)
        for server in (other, one, other):
            server.look()
        assert len(tries) == 1
        waits = update_once(workspace, "weather", None, workspace.policies.list()["weather"])
        assert waits.outcome == "waiting"
        assert f"the last update failed ({first.id})" in waits.reason
        after(first, 61)
        other.look()
        assert (len(tries), other.outcomes) == (2, ["failed"])
        second = workspace.runs.list(operation="update", state="failed")[0]
        assert second.id != first.id
        after(second, 59)
        one.look()
        assert len(tries) == 2
        monkeypatch.setattr(challenger, "make", make)
        after(second, 61)
        one.look()
        assert one.outcomes[-1] == "promoted"
        after(second, 1)
        assert failed_lately(workspace, "weather") is None
