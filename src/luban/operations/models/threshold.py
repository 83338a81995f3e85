"""Models threshold: a version that decides from another probability on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.progress import Progress, tell
from luban.operations.recorded import recorded

if TYPE_CHECKING:
    import numpy as np

    from luban.core.model import ModelVersion
    from luban.core.task import Task
    from luban.learners.fitted import Fitted
    from luban.store import Workspace

OPERATION = "threshold"
"""Of runs: what they are told by."""

_SAME = 1e-9
_UNSEEN = "none of which the models of the fit had learnt from when they predicted them"
_GIVEN = "those given"


@dataclass(frozen=True, kw_only=True)
class ThresholdMoved:
    """A new version that answers as its source does, and decides from another probability on.

    Attributes
    ----------
    threshold, before : float
        Least probability from which a row counts as positive, bears a label or gets its answer.
    chosen_by : str, optional
        The metric that chose it; None where a number was given.
    measured_on : str
        The rows that it was chosen and the scores were measured on; empty where there are none.
    scores, scores_before : mapping of str to float
        Metrics of what is decided, at the new threshold and at the old one.
    """

    model: str
    source: str
    threshold: float
    before: float
    chosen_by: str | None
    measured_on: str
    rows: int
    scores: Mapping[str, float]
    scores_before: Mapping[str, float]
    notes: tuple[str, ...] = ()


@operation(permission="models:write", name="models threshold", long=True, about=("model",), existing=True)
def models_threshold(
    workspace: Workspace, model: str, threshold: float | str, *, data: Any = None, seed: int = 0
) -> ThresholdMoved:
    """Make a version of a model that decides from another probability on; its probabilities stay as they are.

    Versions are written once: the new one has the old one in its lineage, and no alias moves to it. Later updates keep
    the number, or let the same metric choose again.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    threshold
        Least probability from which a row counts as positive, bears a label or gets its answer: a number from 0 to 1,
        or the metric that chooses it, such as f1 or balanced_accuracy.
    data
        Rows with true values to choose and to measure on, which the model has not learnt from; by default the
        predictions of its fit for rows that their models had not seen.
    seed
        Seed of the split that shows whether the choice holds.
    """
    from luban.operations import deciding
    from luban.operations.loading import fitted
    from luban.operations.monitoring.baselines import out_of_fold
    from luban.operations.origin import Origin
    from luban.operations.registering import register, signer

    asked = deciding.asked_for(threshold)
    version = workspace.models.get(model)
    task = version.task
    deciding.check(task, asked)
    origin, sign = Origin(), signer(workspace)
    ready = fitted(workspace, version.reference)
    tell(Progress(stage="threshold", message=f"measuring {version.reference}"))
    kept = out_of_fold(workspace, version)
    rows, notes = (kept, ()) if data is None else _answered(workspace, version, data)
    before = deciding.usual(task) if ready.model.threshold is None else ready.model.threshold
    found = _found(version, asked, rows, before, seed)
    made = replace(ready, model=replace(ready.model, threshold=found), manifest={})
    artifact = _written(workspace, ready, made)
    scores, reports = _on_record(workspace, version, kept, found, seed)
    run = workspace.runs.start(OPERATION, _request(workspace, version, asked), environment=origin.of_run())
    with recorded(workspace, run):
        reference = register(
            workspace,
            origin,
            sign=sign,
            name=version.name,
            artifact=artifact,
            signature=version.signature,
            task=task,
            recipe=version.recipe,
            dataset=version.dataset,
            run=run.id,
            reports=reports,
            scores=scores,
            tags={**version.tags, "source": version.reference, deciding.TAG: asked},
        ).reference
        _pass_on(workspace, version, run.id)
        workspace.runs.set_tag(run.id, "model", reference)
        workspace.runs.finish(run.id, "finished", scores=scores)
    return ThresholdMoved(
        model=reference,
        source=version.reference,
        threshold=found,
        before=before,
        chosen_by=asked if isinstance(asked, str) else None,
        measured_on="" if rows is None else _UNSEEN if data is None else _GIVEN,
        rows=0 if rows is None else len(rows[0]),
        scores={} if rows is None else _measured(task, *rows, found),
        scores_before={} if rows is None else _measured(task, *rows, before),
        notes=notes,
    )


def _answered(
    workspace: Workspace, version: ModelVersion, data: Any
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[str, ...]]:
    """Return the true values of rows that were given with what a version predicts for them, and what is to be said."""
    from luban.data.conform import conform
    from luban.operations.familiar import familiar
    from luban.operations.loading import runtime
    from luban.operations.reading import labelled, read_table

    table, target = labelled(version.task, read_table(workspace, data), version.signature.inputs)
    inputs = conform(table, version.signature.inputs).table
    seen = familiar(workspace, version, inputs, target)
    values = runtime(workspace, version.reference).values(inputs)
    return (target, values), () if seen is None else (f"{seen.finding.what}.",)


def _found(
    version: ModelVersion, asked: float | str, rows: tuple[np.ndarray, np.ndarray] | None, before: float, seed: int
) -> float:
    """Return the threshold, or raise where there is nothing to choose it by or nothing to change."""
    from luban.operations.deciding import threshold_for, usual

    if isinstance(asked, float):
        if asked == before:
            raise InputError(f"{version.reference} decides from {before:.4g} on already", remedy="Give another number.")
        return asked
    if rows is None:
        raise InputError(
            f"no predictions by which {asked} could choose are kept of {version.reference}",
            remedy="Give rows with true values that it has not learnt from: --data FILE. Or a number from 0 to 1.",
        )
    found = threshold_for(version.task, asked, *rows, seed=seed)
    if abs(found - before) < _SAME:
        raise InputError(
            f"{asked} chooses {found:.4g}, from which {version.reference} decides already",
            seen=f"{len(rows[0]):,} rows; what is best on one half must beat {usual(version.task):g} on the other",
            remedy="Give another metric, a number from 0 to 1, or other rows: --data FILE.",
        )
    return found


def _written(workspace: Workspace, ready: Fitted, made: Fitted) -> str:
    """Return the artefact of the version with its threshold, and with a graph that decides by it where there was one.

    The graph's probabilities are those that were compared with the model's, so what was measured stays true.
    """
    from luban.export.onnx.build import build
    from luban.learners import artifact
    from luban.operations.loading import GRAPH

    if GRAPH not in ready.manifest["extra"]:
        return artifact.write(workspace.blobs, made)
    tell(Progress(stage="threshold", message="writing the ONNX graph"))
    return artifact.write(workspace.blobs, made, extra={GRAPH: build(made)}, parity=ready.manifest["parity"])


def _on_record(
    workspace: Workspace,
    version: ModelVersion,
    kept: tuple[np.ndarray, np.ndarray] | None,
    threshold: float,
    seed: int,
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the scores and the evaluation of the new version, on what the fit's models had not seen.

    Where that was not kept the scores that a threshold changes are left out: they would be those of the old one.
    """
    from luban.core.serial import to_json
    from luban.evaluation.evaluate import evaluate
    from luban.operations.deciding import names

    changed = names()
    scores = {name: value for name, value in version.scores.items() if name not in changed}
    if kept is None:
        return scores, {}
    report = evaluate(version.task, *kept, subject=version.name, threshold=threshold, seed=seed)
    found = report.figures["metrics"]
    scores |= {name: found[name] for name in changed if found.get(name) is not None}
    return scores, {report.check: workspace.blobs.put_json(to_json(report))}


def _request(workspace: Workspace, version: ModelVersion, asked: float | str) -> dict[str, Any]:
    """Return what is asked, and which column orders the rows: an update looks for it in the model's run."""
    fit = {} if version.run is None else workspace.runs.get(version.run).request
    return {"model": version.reference, "threshold": asked, **({"time": fit["time"]} if fit.get("time") else {})}


def _pass_on(workspace: Workspace, version: ModelVersion, run: str) -> None:
    """Keep with the new run what the old one knows of rows that were not learnt from."""
    from luban.operations.fitting.kept_out import KEPT_OUT
    from luban.operations.monitoring.baselines import OUT_OF_FOLD

    known = {} if version.run is None else workspace.runs.tags(version.run)
    for tag in (KEPT_OUT, OUT_OF_FOLD):
        if tag in known:
            workspace.runs.set_tag(run, tag, known[tag])


def _measured(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float) -> dict[str, float]:
    """Return the metrics of what is decided at a threshold."""
    from luban.operations.deciding import names, score_at

    return {name: score_at(name, task, target, prediction, threshold) for name in names(task)}
