"""Models compare: two versions side by side, on record and on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.report import Report

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.core.model import ModelVersion
    from luban.operations.models.facts import Facts
    from luban.store import Workspace

MOST_PACKAGES = 100


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One thing of two versions.

    Attributes
    ----------
    about : str
        ``scores``, ``task``, ``data``, ``code``, ``environment``, ``model`` or ``record``.
    same : bool
        Whether both have the same.
    """

    about: str
    what: str
    first: Any
    second: Any
    same: bool


@dataclass(frozen=True, kw_only=True)
class ModelsCompared:
    """Two versions side by side.

    Attributes
    ----------
    lines : tuple of Beside
        What is on record of both; of packages those that differ.
    rows : int, optional
        How many rows both were evaluated on.
    report : Report, optional
        The paired comparison on these rows.
    """

    first: str
    second: str
    lines: tuple[Beside, ...]
    rows: int | None = None
    report: Report | None = None


@operation(permission="models:read", name="models compare", long=True, about=("model", "other"))
def models_compare(
    workspace: Workspace, model: str, other: str, data: Any = None, *, bootstrap: int = 1000, seed: int = 0
) -> ModelsCompared:
    """Compare two versions: scores, task, data, code, environment, size, learners; with rows, which is better on them.

    Scores on record were measured on the rows that each version learnt from, by cross-validation; where these differ
    only new rows tell which is better. On rows the comparison is paired: both answer the same rows of every resample.

    Parameters
    ----------
    model
        The one: NAME, NAME/VERSION or NAME@ALIAS.
    other
        The other one.
    data
        Rows with true values, at best ones that neither has learnt from: a file, a data set of the workspace, or an
        object in memory.
    bootstrap
        How many resamples the intervals rest on.
    seed
        Seed of the resamples.
    """
    from luban.operations.models.facts import facts

    first, second = workspace.models.get(model), workspace.models.get(other)
    if bootstrap < 10:
        raise InputError("intervals need at least 10 resamples", seen=str(bootstrap))
    lines = _lines(facts(workspace, first), facts(workspace, second))
    if data is None:
        return ModelsCompared(first=first.reference, second=second.reference, lines=lines)
    rows, report = _on_rows(workspace, first, second, data, bootstrap=bootstrap, seed=seed)
    return ModelsCompared(first=first.reference, second=second.reference, lines=lines, rows=rows, report=report)


def _on_rows(
    workspace: Workspace, first: ModelVersion, second: ModelVersion, data: Any, *, bootstrap: int, seed: int
) -> tuple[int, Report]:
    from luban.evaluation.compare import compare
    from luban.operations.reading import labelled, read_table

    asked = [(one.task.kind, one.task.target, one.task.classes, one.task.quantiles) for one in (first, second)]
    if asked[0] != asked[1]:
        raise InputError(
            "the two versions cannot be measured on the same rows: they answer different questions",
            seen=f"{first.reference}: {_question(first)}; {second.reference}: {_question(second)}",
            remedy="Compare them without rows.",
        )
    table, target = labelled(first.task, read_table(workspace, data), first.signature.inputs)
    (one, at), (another, at_another) = (_answers(workspace, version, table) for version in (first, second))
    names = (first.reference, second.reference)
    report = compare(
        first.task, target, one, another, names=names, thresholds=(at, at_another), draws=bootstrap, seed=seed
    )
    return len(target), report


def _answers(workspace: Workspace, version: ModelVersion, table: pa.Table) -> tuple[np.ndarray, float | None]:
    """Return what a version predicts, and from which probability on it decides."""
    from luban.data.conform import conform
    from luban.operations.loading import runtime

    ready = runtime(workspace, version.reference)
    return ready.values(conform(table, version.signature.inputs).table), ready.threshold


def _question(version: ModelVersion) -> str:
    classes = f" of {', '.join(map(str, version.task.classes[:6]))}" if version.task.classes else ""
    return f"{version.task.kind} {version.task.target!r}{classes}"


def _lines(first: Facts, second: Facts) -> tuple[Beside, ...]:
    one, two = first.version, second.version
    lines: list[Beside] = []

    def beside(about: str, what: str, left: Any, right: Any) -> None:
        lines.append(Beside(about=about, what=what, first=left, second=right, same=left == right))

    for name in [*dict.fromkeys((one.task.metric, two.task.metric, *one.scores, *two.scores))]:
        beside("scores", name, one.scores.get(name), two.scores.get(name))
    for what in ("kind", "target", "metric", "classes"):
        beside("task", what, getattr(one.task, what), getattr(two.task, what))
    beside("task", "inputs", len(one.task.inputs), len(two.task.inputs))
    gone = [name for name in one.task.inputs if name not in two.task.inputs]
    new = [name for name in two.task.inputs if name not in one.task.inputs]
    if gone or new:
        beside("task", "inputs of one alone", tuple(gone), tuple(new))
    beside("data", "version", one.dataset, two.dataset)
    beside("data", "fingerprint", one.data, two.data)
    for what in ("commit", "state", "diff", "luban"):
        beside("code", what, (first.code or {}).get(what), (second.code or {}).get(what))
    for what in ("python", "platform", "processors"):
        beside("environment", what, (first.environment or {}).get(what), (second.environment or {}).get(what))
    _packages(first.environment, second.environment, beside)
    beside("model", "learners", _learners(first), _learners(second))
    beside("model", "decides from", first.threshold, second.threshold)
    beside("model", "files", first.payloads, second.payloads)
    beside("model", "bytes", first.size, second.size)
    beside("model", "ONNX graph", first.graph, second.graph)
    beside("model", "artifact", one.artifact, two.artifact)
    beside("record", "run", one.run, two.run)
    beside("record", "created", one.created, two.created)
    beside("record", "aliases", one.aliases, two.aliases)
    beside("record", "seed", one.tags.get("seed"), two.tags.get("seed"))
    beside("record", "signed by", _signers(first), _signers(second))
    return tuple(line for line in lines if line.first not in (None, (), "") or line.second not in (None, (), ""))


def _packages(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None, beside: Any) -> None:
    if first is None or second is None:
        return
    left, right = first.get("packages", {}), second.get("packages", {})
    differing = sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
    for name in differing[:MOST_PACKAGES]:
        beside("environment", name, left.get(name), right.get(name))
    if not differing:
        beside("environment", "packages", len(left), len(right))


def _learners(found: Facts) -> str:
    weights: dict[str, float] = {}
    for learner, weight in found.parts:
        weights[learner] = weights.get(learner, 0.0) + weight
    return ", ".join(f"{name} {weight:.2f}" for name, weight in sorted(weights.items(), key=lambda part: -part[1]))


def _signers(found: Facts) -> str:
    return ", ".join(f"{one['name'] or one['key']} ({one['state']})" for one in found.signatures)
