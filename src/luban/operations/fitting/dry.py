"""A fit that is only planned: what would be tried and what it would take."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.progress import Progress, tell
from luban.core.report import Report, worst

if TYPE_CHECKING:
    from luban.operations.fit import FitPlan
    from luban.operations.fitting.flow import Request
    from luban.store import Workspace


def plan_alone(workspace: Workspace, data: Any, request: Request, *, began: float) -> FitPlan:
    """Read and check the rows, ask the learners what their fits would take, and write nothing.

    Raises
    ------
    InputError
        If nothing can be learnt from the rows as they are.
    """
    from luban.execution.deadline import Plan
    from luban.execution.local import LocalExecutor
    from luban.operations.fit import FitPlan, PlanLine
    from luban.operations.fitting.prepare import prepare
    from luban.operations.reading import name_for
    from luban.search.candidate import words_of
    from luban.search.study import plan_study

    name = request.name or name_for(data)
    tell(Progress(stage="read", message=request.source))
    prepared = prepare(workspace, data, name=name, target=request.target, options=asdict(request), keep=False)
    timed = request.rounds is None
    plan = Plan.of(request.budget if timed else None, started=began)
    tell(Progress(stage="plan", message="measuring a few steps of what would be tried"))
    executor = LocalExecutor.of_this_machine()
    try:
        with tempfile.TemporaryDirectory(prefix="luban-plan-") as folder:
            ahead = plan_study(
                task=prepared.task,
                schema=prepared.schema,
                table=prepared.table,
                target=prepared.target,
                groups=prepared.groups,
                moments=prepared.moments,
                folder=Path(folder) / "study",
                executor=executor,
                seconds=plan.study_deadline - plan.started,
                seed=request.seed,
                learners=request.learners or None,
            )
    finally:
        executor.close()
    lines = tuple(
        PlanLine(
            learner=line.learner,
            way=str(line.parameters.get("way") or ""),
            backbone=str(line.parameters.get("backbone") or ""),
            parameters=words_of(line.parameters),
            seconds=line.seconds,
            memory=line.memory,
            runs=not line.reason,
            reason=line.reason,
            note=line.note,
        )
        for line in ahead.plan
    )
    return FitPlan(
        task=prepared.task.kind,
        metric=prepared.task.metric,
        rows=len(prepared.target),
        budget=request.budget if timed else None,
        lines=lines,
        notes=prepared.notes,
        report=Report(check="preflight", subject=name, verdict=worst(ahead.findings), findings=ahead.findings),
    )
