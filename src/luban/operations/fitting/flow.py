"""The course of one fit, from the request to the registered model, under one deadline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict, InputError
from luban.core.progress import Progress, asked_to_stop, tell
from luban.core.serial import from_json, to_json
from luban.operations.recorded import recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.budget import Duration
    from luban.core.model import ModelVersion
    from luban.core.run import Run
    from luban.execution.deadline import Plan
    from luban.operations.fit import Fit
    from luban.operations.fitting.prepare import Prepared
    from luban.search.study import StudyEvent
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked of a fit, as its run records it."""

    target: str
    source: str
    budget: float
    metric: str | None = None
    name: str | None = None
    seed: int = 0
    rounds: int | None = None
    task: str | None = None
    quantiles: tuple[float, ...] = ()
    group: str | None = None
    time: str | None = None
    monotonic: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    searcher: str = "tpe"
    backbone: str | None = None
    adapt: tuple[str, ...] = ()
    threshold: float | str | None = None


def begin(workspace: Workspace, data: Any, request: Request, *, began: float) -> Fit:
    """Fit a model to new rows."""
    from luban.core import plugins
    from luban.operations.fitting.alone import alone
    from luban.operations.fitting.prepare import prepare
    from luban.operations.origin import Origin
    from luban.operations.reading import name_for
    from luban.operations.registering import register, signer
    from luban.store.names import valid_name

    for learner in request.learners:  # an unknown name is told before any work is done
        plugins.origin("learners", learner)
    plugins.origin("searchers", request.searcher)
    name = valid_name("model", request.name or name_for(data))
    executor = _executor()
    try:
        origin = Origin()
        tell(Progress(stage="read", message=request.source))
        prepared = prepare(workspace, data, name=name, target=request.target, options=asdict(request))
        registered = partial(register, workspace, origin, sign=signer(workspace))
        run = workspace.runs.start("fit", to_json(request), environment=origin.of_run())
        with alone(workspace, run), recorded(workspace, run):
            workspace.datasets.hold(prepared.dataset.reference, run.id)
            workspace.runs.set_tag(run.id, "name", name)
            return _search(workspace, prepared, request, run, name, executor, registered, began=began, resume=False)
    finally:
        executor.close()


def go_on(workspace: Workspace, run_id: str, *, budget: Duration | None, began: float) -> Fit:
    """Go on with a fit that was interrupted or killed, from the folds that it had finished.

    Raises
    ------
    InputError
        If the run is no fit, or nothing of it is left on this machine.
    Conflict
        If it has already made a model, or is still running.
    """
    from luban.operations.fitting.alone import alone
    from luban.operations.fitting.prepare import prepare
    from luban.operations.origin import Origin
    from luban.operations.registering import register, signer

    run = workspace.runs.get(run_id)
    if run.operation != "fit":
        raise InputError("only a fit can be resumed", seen=f"run {run.id} is a {run.operation}")
    tags = workspace.runs.tags(run.id)
    if "model" in tags:
        raise Conflict(f"run {run.id} is complete", seen=f"it made {tags['model']}", remedy="Start a new fit.")
    if "dataset" not in tags:
        raise InputError(f"run {run.id} stopped before it had kept its data", remedy="Start a new fit.")
    request = from_json(Request, dict(run.request))
    if budget is not None:
        request = replace(request, budget=float(budget), rounds=None)
    registered = partial(register, workspace, Origin(), sign=signer(workspace))
    executor = _executor()
    try:
        prepared = prepare(
            workspace, tags["dataset"], name=tags["name"], target=request.target, options=asdict(request)
        )
        with alone(workspace, run):
            workspace.runs.reopen(run.id)
            with recorded(workspace, run):
                workspace.datasets.hold(prepared.dataset.reference, run.id)
                name = tags["name"]
                return _search(workspace, prepared, request, run, name, executor, registered, began=began, resume=True)
    finally:
        executor.close()


def _executor() -> Any:
    """Start a worker process at once, so that it imports the learners while the rows are read."""
    from luban.execution.local import LocalExecutor
    from luban.search.study import warm

    executor = LocalExecutor.of_this_machine()
    warm(executor)
    return executor


def _search(
    workspace: Workspace,
    prepared: Prepared,
    request: Request,
    run: Run,
    name: str,
    executor: Any,
    registered: Callable[..., ModelVersion],
    *,
    began: float,
    resume: bool,
) -> Fit:
    from luban.execution.deadline import Plan
    from luban.operations.fitting.finish import finish
    from luban.search.interrupt import interruptible
    from luban.search.study import run_study

    plan = Plan.of(None if request.rounds is not None else request.budget, started=began)
    result = run_study(
        task=prepared.task,
        schema=prepared.schema,
        table=prepared.table,
        target=prepared.target,
        groups=prepared.groups,
        moments=prepared.moments,
        folder=workspace.scratch(run.id),
        executor=executor,
        plan=plan,
        rounds=request.rounds,
        seed=request.seed,
        learners=request.learners or None,
        searcher=request.searcher,
        resume=resume,
        cache=workspace.root / "cache",
        on_event=lambda event: _tell(event, plan),
        stop=asked_to_stop,
    )
    with interruptible():  # the model is there: Ctrl-C while it is written must not lose it
        return finish(
            workspace, prepared, result, run, name, executor, registered, plan=plan, threshold=request.threshold
        )


def _tell(event: StudyEvent, plan: Plan) -> None:
    left = plan.remaining if plan.timed else None
    tell(Progress(stage="search", message=event.message, done=event.done, remaining=left))
