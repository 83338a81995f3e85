"""How often the versions of a deployment were wrong, by the labels that have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.serving.rollout import Tally

if TYPE_CHECKING:
    from datetime import datetime

    from luban.core.model import Deployment
    from luban.core.task import Task
    from luban.store import Workspace

_COLUMNS = ("model", "arm", "output.prediction")


def wrong(workspace: Workspace, deployment: Deployment, since: datetime) -> dict[str, Tally]:
    """Return, by version, how many predictions have a label and how many of them were wrong.

    Of classes, wrong is another than the label, or none; of lists of labels, any other list, where the order of several
    labels of one row says nothing; of numbers, an error above the median of the champion's.
    """
    table = workspace.labels.joined(deployment.name, since=since, columns=_COLUMNS)
    table = table.filter(pc.not_equal(table["arm"], "shadow"))
    if not table.num_rows:
        return {}
    models = np.asarray(table["model"].to_pylist(), dtype=object)
    task = workspace.models.get(deployment.champion).task
    missed = _missed(task, table["output.prediction"], table["label"], models == deployment.champion)
    return {
        str(model): Tally(requests=int((models == model).sum()), events=int(missed[models == model].sum()))
        for model in set(models)
    }


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
