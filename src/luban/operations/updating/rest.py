"""How long a name rests after an update that failed: the record in the store decides, for all servers alike."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.core.run import Run
    from luban.store import Workspace

AFTER_FAILURE = 60.0
"""Seconds until a name whose update failed is looked at again."""

_LATELY = 50  # of all names: failed updates, and updates, that are looked at


def failed_lately(workspace: Workspace, name: str) -> Run | None:
    """Return the last update of a name where it failed less than `AFTER_FAILURE` ago; None where it did not.

    An update that was killed or stopped did not fail: the next one may go on at once.
    """
    from luban.operations.updating.subject import OPERATION
    from luban.store.clock import now

    failed = workspace.runs.list(operation=OPERATION, state="failed", order_by="ended", limit=_LATELY)
    mine = next((run for run in failed if run.request.get("name") == name), None)
    if mine is None or mine.ended is None or now() - mine.ended >= timedelta(seconds=AFTER_FAILURE):
        return None
    runs = workspace.runs.list(operation=OPERATION, limit=_LATELY)
    last = next((run for run in runs if run.request.get("name") == name), mine)
    return mine if last.id == mine.id else None
