"""The end of a fit: the graph, the report, the artefact, the registered version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.progress import Progress, tell
from luban.core.protocols import Job
from luban.core.serial import to_json
from luban.operations.fitting.course import with_course
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.model import ModelVersion
    from luban.core.protocols import Event
    from luban.core.report import Report
    from luban.core.run import Run
    from luban.execution.deadline import Plan
    from luban.operations.fit import Fit
    from luban.operations.fitting.prepare import Prepared
    from luban.search.result import StudyResult
    from luban.store import Workspace

PARITY_ROWS = 1000
# The graph may end a little after the deadline: what follows it takes less than the promised margin of 2 s.
GRACE = 0.3
# A gain over a constant prediction that is less than this share of its score is none.
SKILL = 1e-3


def finish(
    workspace: Workspace,
    prepared: Prepared,
    result: StudyResult,
    run: Run,
    name: str,
    executor: Any,
    registered: Callable[..., ModelVersion],
    *,
    plan: Plan,
    threshold: float | str | None = None,
) -> Fit:
    """Make the artefact of a search's result, and register it with all it came from.

    Parameters
    ----------
    registered : callable
        Registers the version, with the origin of the call (`luban.operations.registering.register`).
    threshold : float or str, optional
        That a person asked for, or the metric that chooses it (`luban.operations.deciding`).
    """
    from luban.learners import artifact
    from luban.learners.fitted import fitted as make_fitted
    from luban.operations import deciding
    from luban.operations.fit import Fit, LeaderboardLine
    from luban.operations.fitting import kept_out
    from luban.operations.fitting.account import Spent, account
    from luban.operations.monitoring.baselines import keep_out_of_fold

    before = plan.elapsed
    result = deciding.decided(result, prepared.task, threshold)
    tell(Progress(stage="finish", message="writing the model"))
    fitted = make_fitted(result.composite, prepared.schema)
    digest = artifact.write(workspace.blobs, fitted)
    notes = [*prepared.notes, *result.notes]
    digest, graph_note = _with_graph(workspace, prepared, digest, executor, plan)
    notes.extend(graph_note)
    report = with_course(_report(prepared, result, name, plan), result)
    notes.extend(
        f"{finding.what}. {finding.remedy}".strip() for finding in result.findings if finding.verdict == "warn"
    )
    metric = prepared.task.metric
    bare = _bare(result, report, metric, plan)
    notes.extend(bare)
    scores = {key: value for key, value in report.figures["metrics"].items() if value is not None}
    scores[metric] = result.score
    version = registered(
        name=name,
        artifact=digest,
        signature=fitted.signature,
        task=prepared.task,
        recipe=result.recipe,
        dataset=prepared.dataset.reference,
        run=run.id,
        reports={report.check: workspace.blobs.put_json(to_json(report))},
        scores=scores,
        tags={
            "luban": __version__,
            "seed": result.recipe.seed,
            **({} if threshold is None else {deciding.TAG: threshold}),
        },
    )
    if version.version == 1:
        workspace.models.set_alias(name, "champion", 1, reason="first version")
    workspace.runs.set_tag(run.id, "model", version.reference)
    keep_out_of_fold(workspace, run.id, result.target, result.predictions, result.recipe.seed)
    kept_out.keep(workspace, run.id, result.kept_out, prepared.target)
    _record_trials(workspace, run, result)
    workspace.runs.finish(run.id, "interrupted" if result.interrupted else "finished", scores=scores)
    lines = tuple(
        LeaderboardLine(
            learner=line.learner,
            score=line.score,
            fit_seconds=round(line.fit_seconds, 3),
            weight=round(line.weight, 4),
            folds=line.folds,
            state=line.state,
            parameters=line.parameters,
            reason=line.reason,
        )
        for line in result.leaderboard
    )
    spent = Spent.of(result, plan, before=before)
    course = account(version.reference, prepared, lines, result, run, notes=notes, plan=plan, spent=spent)
    workspace.models.attach_report(version.reference, course.check, workspace.blobs.put_json(to_json(course)))
    return Fit(
        model=version.reference,
        run=run.id,
        dataset=prepared.dataset.reference,
        task=prepared.task.kind,
        metric=metric,
        score=result.score,
        seconds=round(plan.elapsed, 3),
        leaderboard=lines,
        interrupted=result.interrupted,
        bare=bool(bare),
        notes=tuple(notes),
        course=course,
        report=report,
    )


def _with_graph(
    workspace: Workspace, prepared: Prepared, digest: str, executor: Any, plan: Plan
) -> tuple[str, list[str]]:
    """Return the digest of the artefact with its ONNX graph, or the one given and why there is no graph.

    The graph is built by the worker, which can be stopped at the deadline; the model is complete without it.
    """
    from luban.operations.loading import GRAPH

    tell(Progress(stage="finish", message="building the ONNX graph"))
    rows = prepared.table.slice(0, PARITY_ROWS)
    job = executor.submit(
        Job(
            function="luban.operations.fitting.graph:build_graph",
            arguments={
                "blobs": workspace.blobs.location,
                "digest": digest,
                "rows": workspace.blobs.put(_ipc(rows)),
                "name": GRAPH,
                "timed": plan.timed,
            },
            deadline=plan.deadline + GRACE if plan.timed else None,
        )
    )
    for event in executor.events():
        if event.job != job or event.kind == "progress":
            continue
        if event.kind == "finished" and event.value["digest"] is not None:
            return event.value["digest"], []
        reason = _why_not(event)
        return digest, [f"The model has no ONNX graph: {reason}; `luban export` tries again."]
    return digest, ["The model has no ONNX graph: the worker ended."]


def _why_not(event: Event) -> str:
    """Return why there is no graph, by the end of the job that was to build it."""
    if event.kind == "finished":
        return str(event.value["reason"])
    return "the time was over" if event.kind == "killed" else f"building it failed: {event.value['error']}"


def _ipc(table: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _report(prepared: Prepared, result: StudyResult, name: str, plan: Plan) -> Report:
    """Return the evaluation on rows that no fold's model had seen; quicker where little time is left."""
    from luban.evaluation.evaluate import evaluate

    left = plan.remaining
    tell(Progress(stage="finish", message="evaluating"))
    return evaluate(
        prepared.task,
        result.target,
        result.predictions,
        table=prepared.table.take(result.rows) if left > 1.0 else None,
        schema=prepared.schema if left > 1.0 else None,
        subject=name,
        bootstrap=200 if left > 1.5 else 0,
        seed=result.recipe.seed,
        threshold=result.composite.threshold,
    )


def _bare(result: StudyResult, report: Report, name: str, plan: Plan) -> list[str]:
    """Return a note where time was over before any learner but one, which has learnt nothing, had a score."""
    from luban.evaluation.metrics import metric

    scored = {line.learner for line in result.leaderboard if line.score is not None}
    constant = report.figures["baseline"][name]
    gain = (result.score - constant) * (1 if metric(name).greater_is_better else -1)
    if result.interrupted or not plan.timed or len(scored) > 1 or gain > SKILL * abs(constant):
        return []
    note = (
        f"Only the baseline stands: the budget was too short for more than {', '.join(sorted(scored))}, which is no "
        "better than predicting the same for every row. Give a longer one with --budget."
    )
    return [note]


def _record_trials(workspace: Workspace, run: Run, result: StudyResult) -> None:
    """Write each candidate as a child run."""
    from luban.store.runs import Ended

    states: dict[str, Any] = {"finished": "finished", "pruned": "killed", "failed": "failed"}
    trials = []
    for line in result.leaderboard:
        if line.state != "unsuitable":
            scores = {"fit_seconds": line.fit_seconds, "weight": line.weight}
            if line.score is not None:
                scores["score"] = line.score
            request = {"learner": line.learner, "parameters": line.parameters, "reason": line.reason}
            curves = {"loss": line.curve, **line.curves}
            history = [(name, step, value) for name, curve in curves.items() for step, value in curve]
            state = states.get(line.state, "killed")
            trials.append(Ended(request=request, state=state, scores=scores, history=history))
    workspace.runs.record("trial", trials, parent=run.id)
