"""Whether it is time for an update."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.report import Report
from luban.operations.updating.material import FEWEST
from luban.operations.updating.rest import AFTER_FAILURE, failed_lately
from luban.operations.updating.subject import OPERATION

if TYPE_CHECKING:
    from luban.core.run import Run
    from luban.core.update import UpdatePolicy
    from luban.operations.updating.material import Material
    from luban.operations.updating.subject import Subject
    from luban.store import Workspace

_PAGE = 200  # updates of all names that are read at once
_OLDEST = 10_000  # that are looked at
_ENOUGH = 50  # of one name


@dataclass(frozen=True, kw_only=True)
class Due:
    """Whether to begin, and why or why not, in words."""

    now: bool
    reason: str


def due(workspace: Workspace, subject: Subject, material: Material, policy: UpdatePolicy, data: Any) -> Due:
    """Return whether what an update waits for has come.

    Raises
    ------
    InputError
        If it is asked for now and there are too few rows.
    """
    if not material.enough:
        few = (
            f"{material.waiting:,} new labelled rows, and {2 * FEWEST} are needed: {FEWEST} to judge, as many to learn "
            "from"
        )
        if policy.on == "now":
            raise InputError(
                f"there are too few new rows to update {subject.name!r}",
                seen="; ".join((few, *(note.rstrip(".") for note in material.notes))),
                remedy="Send labels (luban feedback), or give a file of rows with their true values."
                if data is None
                else "Give more rows that it has not learnt from, with their true values.",
            )
        return Due(now=False, reason=few)
    if policy.on == "now":
        return Due(now=True, reason="it was asked for")
    held = _held_back(workspace, subject)
    if held:
        return Due(now=False, reason=held)
    last = last_update(workspace, subject)
    since = _since(workspace, subject, material, last)
    if since < (least := policy.labels if policy.on == "labels" else FEWEST):
        return Due(now=False, reason=f"{since:,} new labelled rows since the last update, and {least:,} are waited for")
    if policy.on == "labels":
        return Due(now=True, reason=f"{since:,} new labelled rows")
    if policy.on == "schedule":
        return _scheduled(policy, last)
    return _drifted(workspace, subject, data, policy.seed)


def last_update(workspace: Workspace, subject: Subject) -> Run | None:
    """Return the last update that went to its end."""
    return next(iter(subject_runs(workspace, subject, 1)), None)


def subject_runs(workspace: Workspace, subject: Subject, most: int = _ENOUGH) -> list[Run]:
    """Return the latest updates that went to their end, the latest first, however many other names had since."""
    found: list[Run] = []
    for offset in range(0, _OLDEST, _PAGE):
        page = workspace.runs.list(operation=OPERATION, state="finished", limit=_PAGE, offset=offset)
        found += [run for run in page if run.request.get("name") == subject.name]
        if len(found) >= most or len(page) < _PAGE:
            break
    return found[:most]


def _held_back(workspace: Workspace, subject: Subject) -> str:
    """Return why nobody should begin by itself now, or nothing."""
    if subject.deployment is not None and subject.deployment.canaries:
        return f"a canary is under way: {', '.join(subject.deployment.canaries)}"
    for one in workspace.approvals.list(state="open", subject=subject.name):
        if one.detail.get("champion") == subject.champion.reference:
            return f"{one.reference} waits for a person's yes: luban approvals show {one.id}"
    failed = failed_lately(workspace, subject.name)
    if failed is not None:
        return f"the last update failed ({failed.id}): the next begins {AFTER_FAILURE:.0f} s after it at the earliest"
    return ""


def _since(workspace: Workspace, subject: Subject, material: Material, last: Run | None) -> int:
    """Return how many labelled rows came that the last update did not have."""
    if last is None:
        return material.waiting
    tags = workspace.runs.tags(last.id)
    if tags.get("champion") != subject.champion.reference:  # it was promoted, or another version was
        return material.waiting
    return min(material.waiting, material.labelled - int(tags.get("labelled", 0)))


def _scheduled(policy: UpdatePolicy, last: Run | None) -> Due:
    from luban.store.clock import now

    if last is None or now() - last.started >= timedelta(seconds=policy.every):
        return Due(now=True, reason="it is time")
    return Due(now=False, reason=f"the last update began at {last.started:%Y-%m-%d %H:%M:%S} UTC")


def _drifted(workspace: Workspace, subject: Subject, data: Any, seed: int) -> Due:
    from luban.operations.monitor import monitor

    if data is None and not subject.sources:
        raise InputError(
            f"drift of {subject.name!r} cannot be seen: no deployment answers with it",
            remedy=f"Deploy it (luban deploy {subject.name} {subject.name}), or give a file.",
        )
    name = subject.sources[0] if data is None else subject.champion.reference
    try:
        report = monitor(workspace, name, data, seed=seed).report
    except InputError as error:  # a window of too few rows
        return Due(now=False, reason=str(error))
    found = signs(report)
    if found:
        return Due(now=True, reason="; ".join(found))
    return Due(now=False, reason="monitoring sees no drift, and no loss of quality")


def signs(report: Report) -> tuple[str, ...]:
    """Return in words what of a monitored window asks for an update."""
    figures = report.figures
    found = []
    moved = figures.get("drift", {}).get("drifted", ())
    if moved:
        found.append(f"inputs have moved: {', '.join(moved[:5])}")
    quality = figures.get("quality", {})
    if quality.get("worse"):
        found.append("the quality is worse than was expected")
    alarms = [name for name, count in figures.get("stream", {}).get("alarms", {}).items() if count]
    if alarms:
        found.append(f"errors have become more: {', '.join(sorted(alarms))}")
    return tuple(found)
