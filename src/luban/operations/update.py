"""Update: learn from new rows, compare with the champion on rows that neither knows, and let the better one answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luban.core.budget import Duration
from luban.core.errors import InputError, LubanError, NotFound
from luban.core.operation import operation
from luban.core.progress import Progress, asked_to_stop, tell
from luban.core.report import Report

if TYPE_CHECKING:
    from luban.core.update import UpdatePolicy
    from luban.store import Workspace

HOUR, MINUTE, WEEK = Duration(3600), Duration(60), Duration(7 * 86_400)


@dataclass(frozen=True, kw_only=True)
class Updated:
    """What an update came to.

    Attributes
    ----------
    subject : str
        The deployment or the model.
    model : str
        The champion when it began.
    outcome : str
        ``promoted``: the challenger answers now; ``asked``: it waits for a person's yes; ``refused``: a gate was not
        passed; ``waiting``: what it waits for has not come; ``busy``: another process updates it; ``stopped``: it was
        stopped on request.
    way : str
        How the challenger was made.
    learnt, fresh : int
        Rows that it learnt from, and rows that judged.
    report : Report
        What the gates say.
    """

    subject: str
    model: str
    outcome: Literal["promoted", "asked", "refused", "waiting", "busy", "stopped"]
    reason: str
    challenger: str | None = None
    way: str = ""
    learnt: int = 0
    fresh: int = 0
    approval: str | None = None
    run: str | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    report: Report | None = None

    @property
    def exit_code(self) -> int:
        """With which a command ends: 3 where a challenger was made and neither answers nor waits for a yes."""
        return 3 if self.outcome in ("refused", "stopped") else 0


@dataclass(frozen=True, kw_only=True)
class Watched(Updated):
    """What the last update of a watch came to, which was ended on request."""

    @property
    def exit_code(self) -> int:
        """0: whoever ends a watch got what was asked for."""
        return 0


@operation(permission="models:write", long=True, about=("name",), existing=True)
def update(
    workspace: Workspace,
    name: str,
    data: Any = None,
    *,
    on: Literal["now", "drift", "labels", "schedule"] = "now",
    labels: int = 500,
    every: Duration = HOUR,
    budget: Duration = MINUTE,
    rounds: int | None = None,
    approve: bool = False,
    expires: Duration = WEEK,
    way: Literal["auto", "retrain", "continue"] = "auto",
    window: str = "auto",
    fresh: str = "25%",
    gate: tuple[str, ...] = (),
    gates: Path | None = None,
    watch: Duration | None = None,
    seed: int = 0,
) -> Updated:
    """Update a model with new labelled rows: a challenger, the gates, and its promotion where it passes them all.

    The newest rows are kept apart, judge champion and challenger, and are never learnt from. What happened is kept:
    `luban updates list`. One process at a time updates a name, on however many machines it is asked for.

    Parameters
    ----------
    name
        A deployment, whose labelled predictions are learnt from, or a model, with those of all its deployments.
    data
        Rows with their true values instead of labelled predictions: a file, a data set, or an object in memory.
    on
        What to wait for: `now` nothing, `drift` that monitoring sees (drift, a loss of quality, more errors), `labels`
        so many new labels, `schedule` the time.
    labels
        New labelled rows that `--on labels` waits for.
    every
        Time between two updates that `--on schedule` waits for, such as 1h.
    budget
        A deadline for one update, such as 60s.
    rounds
        A budget in work units instead of time: so many candidates are tried, whatever the clock says.
    approve
        Ask a person before the challenger takes over: luban approvals list.
    expires
        Time in which a person may say yes, such as 7d.
    way
        `retrain` learns anew, beginning with what the champion is made of; `continue` goes on from the champion, where
        its learners can; `auto` takes the better one on the newest rows.
    window
        Rows to learn anew from: `all`, the newest so many such as 5000, a share such as 50%, or `auto`: the best of
        all, half and a quarter.
    fresh
        Share of the new rows that judge.
    gate
        A gate's limit, `quality=0.95`, or `size=off`; luban plugins gates lists them.
    gates
        A file of such limits, in YAML: a line `quality: 0.95` each.
    watch
        Stay, and look again after each such time, until stopped.
    seed
        Seed of all randomness.
    """
    from luban.operations.updating.policy import policy_of

    if data is not None and watch is not None:
        raise InputError("a file is learnt from once", remedy="Leave --watch out.")
    if watch is not None and on == "now":
        raise InputError("a watch waits for something", remedy="Add --on drift, --on labels or --on schedule.")
    if watch is not None and watch < 1:
        raise InputError("there must be at least a second between two looks", seen=f"{float(watch)} s")
    policy = policy_of(
        on=on,
        labels=labels,
        every=float(every),
        budget=float(budget),
        rounds=rounds,
        approve=approve,
        expires=float(expires),
        way=way,
        window=window,
        fresh=fresh,
        gate=gate,
        gates=gates,
        seed=seed,
    )
    from luban.operations.updating.round import update_once

    if watch is None:
        return update_once(workspace, name, data, policy)
    return _watched(workspace, name, policy, float(watch))


def _watched(workspace: Workspace, name: str, policy: UpdatePolicy, seconds: float) -> Updated:
    """Look again and again until stopped; what fails on the way is told and tried again."""
    from luban.operations.updating.round import update_once

    done: Updated | None = None
    failed: LubanError | None = None
    while True:
        try:
            done = update_once(workspace, name, None, policy)
        except NotFound:
            raise
        except LubanError as error:
            failed = error
            tell(Progress(stage="update", message=str(error)))
        else:
            tell(Progress(stage="update", message=f"{done.outcome}: {done.reason}", result=done))
        if not _stopped(seconds):
            continue
        if done is not None:
            return Watched(**vars(done))
        assert failed is not None
        raise failed


def _stopped(seconds: float) -> bool:
    """Wait and return whether the watch should end; Ctrl-C is a polite end."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if asked_to_stop():
                return True
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))
    except KeyboardInterrupt:
        return True
    return asked_to_stop()
