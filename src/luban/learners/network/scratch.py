"""A network that starts from random weights: what the learners of pictures and of sounds share."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Suitable, Unsuitable
from luban.learners.adapted.adapting import sorted_out, train
from luban.learners.adapted.model import AdaptedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.report import Finding
    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone

TASKS = ("binary", "multiclass", "multilabel", "regression", "quantile")
# Fewer rows teach a network nothing that starts from nothing.
_LEAST_ROWS = 40
_LEAST_SECONDS = 10.0
_WAY = "full"
# A probe of random features begins with weights so large that training cannot mend them.
_TRAINING: Mapping[str, Any] = {"decay": 1.0, "weight_decay": 0.05, "patience": 8, "probe_first": False}


def column_of(schema: Schema, kind: str) -> str | Unsuitable:
    """Return the only column of this kind, or why there is none."""
    names = [column.name for column in schema.inputs if column.kind == kind]
    if len(names) == 1:
        return names[0]
    return Unsuitable(f"it reads one column of kind {kind}, and there are {len(names)}")


def suits(task: Task, schema: Schema, rows: int, seconds: float, *, kind: str, needs: str) -> Suitable | Unsuitable:
    """Return whether there is one column of the kind, enough rows to learn from and time to do it.

    Parameters
    ----------
    needs : str
        Module that reads such a column.
    """
    if find_spec("torch") is None or find_spec(needs) is None:
        return Unsuitable(f"it needs packages; run: pip install 'luban[{kind}]'")
    column = column_of(schema, kind)
    if isinstance(column, Unsuitable):
        return column
    if "monotonic" in task.constraints:
        return Unsuitable("a network knows no direction, and predictions must be monotonic")
    if task.kind not in TASKS:
        return Unsuitable(f"it is not made for the task {task.kind}")
    if rows < _LEAST_ROWS:
        return Unsuitable(f"{rows} rows are too few to learn from nothing; {_LEAST_ROWS} are the least")
    if seconds < _LEAST_SECONDS:
        return Unsuitable(f"it needs {_LEAST_SECONDS:.0f} s at least and there are {seconds:.0f} s")
    return Suitable()


def body(
    name: str,
    kind: str,
    *,
    width: int,
    depth: int,
    channels: int,
    preparation: str,
    settings: Mapping[str, Any],
    seed: int,
) -> Backbone:
    """Return a small net of convolutions with random weights."""
    from luban.foundation.backbone import Card, Prepares, assemble

    card = Card(
        name=name,
        kind=kind,
        tasks=TASKS,
        ways={_WAY: TASKS},
        parameters=0,
        bytes=0,
        licence="Apache-2.0",
        source="random weights",
        words="A small residual net of convolutions.",
    )
    reads = "pixel_values" if preparation == "image_pixels" else "input_features"
    return assemble(
        card,
        architecture="convolutions",
        configuration={"channels": channels, "width": width, "depth": depth, "reads": reads},
        prepares=Prepares(name=preparation, settings=settings),
        seed=seed,
    )


def fit(
    learner: str,
    backbone: Backbone,
    task: Task,
    column: str,
    training: Examples,
    validation: Examples | None,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
    report: Callable[[int, float], bool] | None,
) -> AdaptedModel:
    """Train all weights at one rate, until the validation loss rests, the epochs are done or the time is up."""
    adapted = train(
        backbone,
        _WAY,
        task,
        (column,),
        training,
        validation,
        parameters={**_TRAINING, **parameters},
        effort=effort,
        report=report,
    )
    return AdaptedModel(learner=learner, adapted=adapted, learned=dict(adapted.learned))


def preflight(
    backbone: Backbone,
    task: Task,
    column: str,
    training: Examples,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
) -> Sequence[Finding]:
    """Return what would spoil the training, or is worth knowing of it, within ten seconds."""
    from luban.foundation.preflight import preflight as found_before

    given, _ = sorted_out(backbone, _WAY, (column,), {**_TRAINING, **parameters})
    return found_before(backbone, _WAY, task, (column,), training, None, parameters=given, effort=effort)
