"""One update: look, make a challenger, judge it, and let it take over, ask for it, or leave things as they are."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict, LubanError
from luban.core.progress import Progress, asked_to_stop, tell
from luban.core.serial import to_json
from luban.operations.updating.alone import SECONDS, end_interrupted, holder, kept
from luban.operations.updating.asked import copied, folder
from luban.operations.updating.material import at_hand, of_data, of_log
from luban.operations.updating.subject import OPERATION
from luban.operations.updating.subject import subject as found
from luban.operations.updating.trigger import due

if TYPE_CHECKING:
    from luban.core.report import Report
    from luban.core.run import Run
    from luban.core.update import Lease, UpdatePolicy
    from luban.operations.update import Updated
    from luban.operations.updating.material import Material
    from luban.operations.updating.subject import Subject
    from luban.store import Workspace

MARGIN = 1.0
"""Seconds of the budget that are kept for the gates, at least."""

ENOUGH = 60
"""Seconds that are worth trying where a shorter budget did not suffice, at least."""


def update_once(workspace: Workspace, name: str, data: Any, policy: UpdatePolicy) -> Updated:
    """Look whether it is time, and if so update; one process at a time does so for a name.

    Raises
    ------
    Conflict
        If another process does so now and it was asked for now.
    InputError
        If there are too few rows and it was asked for now.
    """
    from luban.operations.update import Updated

    began = time.monotonic()
    subject = found(workspace, name)
    lease = workspace.leases.take(subject.lease, holder(), SECONDS)
    if lease is None:
        by = workspace.leases.holder(subject.lease)
        busy = "somebody else updates it now" + ("" if by is None else f": {by.holder}")
        if policy.on == "now":
            raise Conflict(
                f"{name!r} is not updated twice at once", seen=busy, remedy="Wait, then see: luban updates list"
            )
        return Updated(subject=name, model=subject.champion.reference, outcome="busy", reason=busy)
    with kept(workspace, lease, SECONDS), copied(folder(workspace, subject.name)):
        subject = found(workspace, name)  # it may have been updated while the lease was another's
        end_interrupted(workspace, subject, OPERATION)
        tell(Progress(stage="look", message=f"{subject.champion.reference} under {name}"))
        if data is None:
            material = of_log(workspace, subject, policy.fresh)
        else:
            material = of_data(workspace, subject, data, policy.fresh)
        answer = due(workspace, subject, material, policy, data)
        if not answer.now:
            return Updated(
                subject=name,
                model=subject.champion.reference,
                outcome="waiting",
                reason=answer.reason,
                seconds=round(time.monotonic() - began, 3),
                notes=material.notes,
            )
        material = at_hand(workspace, subject, material)
        return _update(workspace, subject, material, policy, lease, answer.reason, began)


def _update(
    workspace: Workspace,
    subject: Subject,
    material: Material,
    policy: UpdatePolicy,
    lease: Lease,
    why: str,
    began: float,
) -> Updated:
    from luban.operations.environment import environment
    from luban.operations.updating.challenger import described, make
    from luban.operations.updating.contest import judged

    request = {"name": subject.name, **to_json(policy)}
    run = workspace.runs.start(OPERATION, request, environment=environment())
    tags = {
        "champion": subject.champion.reference,
        "labelled": material.labelled,
        "newest": material.newest,
        "why": why,
        "lease": lease.token,
        "holder": lease.holder,
    }
    for key, value in tags.items():
        workspace.runs.set_tag(run.id, key, value)
    try:
        _name_champion(workspace, subject)
        gone_back = _went_back(workspace, subject, material, policy, lease, why)
        if gone_back is not None:
            done, digest = gone_back
            done = replace(done, run=run.id, seconds=round(time.monotonic() - began, 3))
            workspace.runs.set_tag(run.id, "challenger", done.challenger)
            _record(workspace, run, done, {"way": done.way}, digest)
            return done
        challenger = make(workspace, subject, material, policy, run, plan=_plan(policy, began))
        workspace.runs.set_tag(run.id, "challenger", challenger.fit.model)
        workspace.leases.renew(lease, SECONDS)  # where it is lost nothing more is done
        tell(Progress(stage="judge", message=f"{challenger.fit.model} against {subject.champion.reference}"))
        report, digest = judged(
            workspace, subject.champion.reference, challenger.fit.model, material.fresh, policy.gates, seed=policy.seed
        )
        done = _decided(workspace, subject, policy, lease, challenger.fit.model, report, why)
        if done.outcome == "refused" and challenger.fit.bare:
            done = replace(done, reason=f"{done.reason}; {_too_short(policy)}")
        done = replace(
            done,
            run=run.id,
            way=challenger.choice.words,
            learnt=challenger.learnt,
            fresh=len(material.fresh),
            notes=(*material.notes, *challenger.fit.notes),
            seconds=round(time.monotonic() - began, 3),
        )
    except KeyboardInterrupt:
        workspace.runs.finish(run.id, "interrupted")
        raise
    except Conflict as error:  # the lease, or the champion, is another's
        workspace.runs.finish(run.id, "interrupted", error=error.to_dict())
        raise
    except LubanError as error:
        workspace.runs.finish(run.id, "failed", error=error.to_dict())
        raise
    except Exception as error:
        defect = {"code": "defect", "happened": f"{type(error).__name__}: {error}"}
        workspace.runs.finish(run.id, "failed", error=defect)
        raise
    _record(workspace, run, done, described(challenger), digest)
    return done


def _went_back(
    workspace: Workspace, subject: Subject, material: Material, policy: UpdatePolicy, lease: Lease, why: str
) -> tuple[Updated, str] | None:
    """Let a former champion answer again that is better on the rows since, not by chance; None where there is none."""
    from luban.operations.updating.back import JUDGE, better_before, limits
    from luban.operations.updating.contest import judged

    wanted = limits(policy)
    found = None if JUDGE in wanted and wanted[JUDGE] is None else better_before(workspace, subject, material)
    if found is None:
        return None
    reference, rows = found
    tell(Progress(stage="judge", message=f"{reference}, which answered before, against {subject.champion.reference}"))
    report, digest = judged(
        workspace, subject.champion.reference, reference, rows, wanted, seed=policy.seed, beside=False
    )
    done = _decided(workspace, subject, policy, lease, reference, report, why)
    if done.outcome == "refused":
        return None
    return replace(done, way="went back to a former champion", fresh=len(rows)), digest


def _plan(policy: UpdatePolicy, began: float) -> Any:
    """Return the plan of what comes before the gates, which take a little of the budget themselves."""
    from luban.execution.deadline import Plan

    if policy.rounds is not None:
        return Plan.of(None, started=began)
    return Plan.of(policy.budget - min(max(MARGIN, 0.05 * policy.budget), 0.2 * policy.budget), started=began)


def _too_short(policy: UpdatePolicy) -> str:
    """Return in words that the challenger is nothing but a baseline, and what budget may do."""
    longer = max(ENOUGH, round(10 * policy.budget))
    return f"the budget of {policy.budget:g} s sufficed for the baseline only, try --budget {longer}s"


def _name_champion(workspace: Workspace, subject: Subject) -> None:
    """Give the champion its alias where the model has none: else its newest version, the challenger, would answer."""
    name = subject.champion.name
    aliases = {alias for version in workspace.models.versions(name) for alias in version.aliases}
    if "champion" not in aliases:
        plain = workspace.models.get(name)
        workspace.models.set_alias(name, "champion", plain.version, reason="it answered before a challenger was made")


def _decided(
    workspace: Workspace,
    subject: Subject,
    policy: UpdatePolicy,
    lease: Lease,
    reference: str,
    report: Report,
    why: str,
) -> Updated:
    """Let the challenger take over, ask for it, or refuse it."""
    from luban.operations.update import Updated
    from luban.operations.updating.moved import told
    from luban.review.gates.run import refused

    failed = refused(report)
    done = Updated(
        subject=subject.name,
        model=subject.champion.reference,
        challenger=reference,
        outcome="refused",
        reason=f"it did not pass: {', '.join(failed)}; {subject.champion.reference} stays, {reference} is kept",
        report=report,
    )
    if failed:
        return done
    promotion = subject.promotion(reference)
    if asked_to_stop():
        workspace.leases.renew(lease, SECONDS)
        return replace(done, outcome="stopped", reason="it passed, and was stopped before it took over")
    if policy.approve:
        asked = workspace.approvals.ask(
            "promote",
            subject.name,
            reference,
            seconds=policy.expires,
            detail={**to_json(promotion), "why": why, "gates": report.figures["gates"]},
        )
        waits = f"it passed and waits for a person's yes: luban approvals approve {asked.id}"
        return replace(done, outcome="asked", reason=waits, approval=asked.id)
    moved = workspace.promotions.promote(promotion, reason=f"update: {why}; it passed all gates", lease=lease)
    return replace(done, outcome="promoted", reason=f"it passed; {told(workspace, promotion, moved)}")


def _record(workspace: Workspace, run: Run, done: Updated, how: dict[str, Any], digest: str) -> None:
    tags = {
        "outcome": done.outcome,
        "reason": done.reason,
        "report": digest,
        "approval": done.approval,
        "fresh_rows": done.fresh,
        **how,
    }
    for key, value in tags.items():
        workspace.runs.set_tag(run.id, key, value)
    report = done.report
    assert report is not None
    values = {name: one["value"] for name, one in report.figures["gates"].items()}
    scores = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    workspace.runs.finish(run.id, "finished", scores=scores)
