"""How good the versions of a deployment are, by the labels that have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.learners.logged import UNTOLD, values
from luban.learners.predictions import column_names
from luban.serving.measured import FEWEST, Measured
from luban.serving.rollout import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from luban.core.model import Deployment
    from luban.core.task import Task
    from luban.store import Workspace

_ROWS = 4000  # of a version that are judged, and fewer of wide answers
_CELLS = 2_000_000
_WORDS = 50  # of a row, about
_DRAWS = 100
_RARE = 5  # rows of the second class that a score needs


def read(workspace: Workspace, deployment: Deployment, task: Task, since: datetime) -> pa.Table:
    """Return what was answered by champion and canaries and has a label, with it; nothing that only the shadow said."""
    outputs = dict.fromkeys(["prediction", *column_names(task)])
    columns = ("model", "arm", *(f"output.{name}" for name in outputs))
    table = workspace.labels.joined(deployment.name, since=since, columns=columns)
    return table.filter(pc.not_equal(table["arm"], "shadow"))


def wrong(task: Task, champion: str, table: pa.Table) -> dict[str, Tally]:
    """Return, by version, how many predictions have a label and how many of them were wrong.

    Of classes, wrong is another than the label, or none; of lists of labels, any other list, where the order of several
    labels of one row says nothing; of numbers, an error above the median of the champion's.
    """
    if not table.num_rows:
        return {}
    models = np.asarray(table["model"].to_pylist(), dtype=object)
    missed = _missed(task, table["output.prediction"], table["label"], models == champion)
    return {
        str(model): Tally(requests=int((models == model).sum()), events=int(missed[models == model].sum()))
        for model in set(models)
    }


def measured(
    task: Task, table: pa.Table, thresholds: Mapping[str, float | None], *, seed: int = 0
) -> dict[str, Measured]:
    """Return, by version, the score by the model's own metric; without those of which it cannot be had, or not yet.

    It can be had where the log holds what the metric needs, `FEWEST` rows have a label, and a score of classes has some
    rows of two of them. Of very many labelled rows some thousand, drawn at random, are judged.

    Parameters
    ----------
    thresholds : mapping of str to float
        By version, from which probability on it decides.
    """
    found = {}
    for model, threshold in thresholds.items():
        mine = table.filter(pc.equal(table["model"], model))
        one = _measured(task, mine, threshold, seed) if mine.num_rows >= FEWEST else None
        if one is not None:
            found[model] = one
    return found


def _measured(task: Task, table: pa.Table, threshold: float | None, seed: int) -> Measured | None:
    from luban.data.target import labelled_rows
    from luban.evaluation.bootstrap import bootstrap
    from luban.evaluation.metrics import metric

    if task.kind == "foreign" or task.metric in UNTOLD.get(task.kind, ()):
        return None
    most = min(_ROWS, max(FEWEST, _CELLS // (task.outputs * (_WORDS if task.kind == "tokens" else 1))))
    if table.num_rows > most:
        chosen = np.random.default_rng(seed).choice(table.num_rows, most, replace=False)
        table = table.take(pa.array(np.sort(chosen)))
    logged = [name for name in table.column_names if name.startswith("output.")]
    said = values(task, table.select(logged).rename_columns([name.removeprefix("output.") for name in logged]))
    try:
        places, target = labelled_rows(task, table["label"])
    except InputError:  # none of the labels is one of the model's
        return None
    if said is None:
        return None
    whole = np.isfinite(said[places]).reshape(len(places), -1)
    known = whole.any(axis=1) if task.kind == "tokens" else whole.all(axis=1)  # behind the last word there is nothing
    target, prediction = target[known], said[places][known]
    if len(target) < FEWEST or (task.kind in ("binary", "multiclass") and not _two_classes(target)):
        return None
    own = metric(task.metric, task)
    drawn = bootstrap([own], task, target, [prediction], threshold=threshold, count=_DRAWS, seed=seed)
    draws = drawn.draws[0, 0][np.isfinite(drawn.draws[0, 0])]
    value = float(drawn.values[0, 0])
    if not np.isfinite(value) or len(draws) < _DRAWS // 2:
        return None
    return Measured(
        metric=own.name,
        greater_is_better=own.greater_is_better,
        rows=len(target),
        value=value,
        error=float(draws.std(ddof=1)),
    )


def _two_classes(target: np.ndarray) -> bool:
    counts = np.sort(np.unique(target, return_counts=True)[1])
    return len(counts) >= 2 and bool(counts[-2] >= _RARE)


def _missed(task: Task, predictions: pa.ChunkedArray, labels: pa.ChunkedArray, champion: np.ndarray) -> np.ndarray:
    if pa.types.is_floating(predictions.type):
        errors: np.ndarray = np.abs(predictions.to_numpy() - labels.cast(pa.float64()).to_numpy())
        limit = float(np.median(errors[champion])) if champion.any() else np.inf
        return errors > limit
    if pa.types.is_list(predictions.type):
        alike = sorted if task.kind == "multilabel" else list
        pairs = zip(predictions.to_pylist(), labels.to_pylist(), strict=True)
        return np.array([alike(said or ()) != alike(true or ()) for said, true in pairs], dtype=bool)
    other = pc.not_equal(predictions.cast(pa.string()), labels.cast(pa.string()))
    missed: np.ndarray = other.fill_null(True).to_numpy()  # where there is no answer the label was missed
    return missed
