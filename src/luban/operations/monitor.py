"""Monitor: what has changed since a model learnt, and how good it is now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from luban.core.budget import Duration
from luban.core.errors import InputError, LubanError, NotFound
from luban.core.operation import operation
from luban.core.progress import Progress, asked_to_stop, tell
from luban.core.report import Report

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """A window of a deployment's predictions, or of a file, beside what the model learnt from.

    Attributes
    ----------
    digest : str
        Under which the report is kept.
    notices : tuple of str
        What the alert rules said.
    """

    subject: str
    model: str
    rows: int
    verdict: str
    report: Report
    digest: str
    notices: tuple[str, ...] = ()


@operation(permission="monitoring:read", long=True)
def monitor(
    workspace: Workspace,
    name: str,
    data: Any = None,
    *,
    window: Duration | None = None,
    last: int | None = None,
    against: Literal["baseline", "previous"] = "baseline",
    watch: Duration | None = None,
    seed: int = 0,
) -> Monitored:
    """Watch a deployment: drift of inputs and predictions, defects, quality with and without labels.

    The report is kept in the workspace, and the alert rules are held against its figures. With a file, its rows are
    compared with what the model learnt from; that needs no deployment.

    Parameters
    ----------
    name
        The deployment; with data, a model: NAME, NAME/VERSION or NAME@ALIAS.
    data
        Rows to look at instead of the prediction log: a file, a data set of the workspace, or an object in memory.
    window
        Time back from now, such as 1d or 6h.
    last
        The newest so many rows; without window 1000.
    against
        What to compare with: the rows that the model learnt from, or the window before this one.
    watch
        Look again after each such time, such as 60s, until stopped.
    seed
        Seed of sampling.
    """
    if window is not None and last is not None:
        raise InputError("a window is a time or a number of rows, not both", remedy="Give --window or --last.")
    if data is not None and (window is not None or against == "previous" or watch is not None):
        raise InputError("a file is looked at once, as a whole, against what the model learnt from")
    if last == 0:
        raise InputError("a window needs rows", seen="--last 0")
    if watch is not None and watch < 1:
        raise InputError("there must be at least a second between two looks", seen=f"{float(watch)} s")
    settings: dict[str, Any] = {"window": window, "last": last, "against": against, "seed": seed}
    if watch is None:
        return _once(workspace, name, data, **settings)
    return _watched(workspace, name, settings, float(watch))


def _watched(workspace: Workspace, name: str, settings: dict[str, Any], seconds: float) -> Monitored:
    """Look again and again until stopped, and return the last window; what fails on the way is told and tried again."""
    from luban.operations.monitoring.remembered import Remembered

    settings = {**settings, "remembered": Remembered()}
    done: Monitored | None = None
    failed: LubanError | None = None
    while True:
        try:
            done = _once(workspace, name, None, **settings)
        except NotFound:
            raise
        except LubanError as error:
            failed = error
            tell(Progress(stage="monitor", message=str(error)))
        else:
            head = done.report.findings[0].what if done.report.findings else ""
            told = "; ".join((f"{done.verdict}: {head} ({done.rows:,} rows)", *done.notices))
            tell(Progress(stage="monitor", message=told, result=done))
        if not _stopped(seconds):
            continue
        if done is not None:
            return done
        assert failed is not None
        raise failed


def _once(workspace: Workspace, name: str, data: Any, **options: Any) -> Monitored:
    from luban.monitoring.alerts.figures import figures
    from luban.monitoring.alerts.look import look as look_at_rules
    from luban.operations.monitoring.rows import of_data, of_log
    from luban.store.clock import now

    look = of_log if data is None else of_data
    subject, version, report = look(workspace, name, data, **options)
    digest = workspace.reports.add(report)
    return Monitored(
        subject=subject,
        model=version,
        rows=report.figures["rows"],
        verdict=report.verdict,
        report=report,
        digest=digest,
        notices=look_at_rules(workspace.alerts, subject, figures(report), now()),
    )


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
