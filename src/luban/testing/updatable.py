"""What every model must hold to that goes on learning (`luban.core.protocols.Updatable`), of whatever rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from luban.core.budget import Effort
from luban.core.protocols import Examples, Updatable

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.protocols import Learner, Model
    from luban.core.task import Task


def check_goes_on(
    learner: Learner,
    model: Model,
    task: Task,
    new: Examples,
    unseen: Examples,
    loss: Callable[[Task, np.ndarray, np.ndarray], float],
    *,
    replay: Examples | None = None,
    better: float = 0.9,
    apart: float = 0.0,
) -> Model:
    """Let a model go on learning from rows whose target means something else now, and return the new one.

    It must do better on rows of that kind which it has not seen, be saved and loaded to the same predictions, and be
    able to go on once more. The model that it comes from stays as it was, and is returned itself where rows are too few
    to teach anything or the time is up.

    Parameters
    ----------
    loss : callable
        ``loss(task, target, predictions)``, lower is better.
    better : float
        Share of its former loss that the new one must stay below.
    apart : float
        Largest difference of what the loaded one predicts.
    """
    assert isinstance(model, Updatable), f"{learner.name} cannot go on learning"
    saved = dict(model.save())
    assert model.update(_first(new, 5), effort=Effort(seed=3)) is model, "few rows teach nothing"
    late = Effort(deadline=time.monotonic() - 1, seed=3)
    assert model.update(new, effort=late) is model, "the time was up before it began"
    after = model.update(new, replay=replay, effort=Effort(threads=1, seed=3))
    losses = [loss(task, unseen.target, one.predict(unseen.table)) for one in (model, after)]
    assert losses[1] < better * losses[0], f"loss {losses[0]:.4f} before and {losses[1]:.4f} after"
    assert dict(model.save()) == saved, "it has changed the model that it went on from"
    again = learner.load(dict(after.save()))
    assert isinstance(again, Updatable), "what was loaded cannot go on learning"
    assert np.abs(again.predict(unseen.table) - after.predict(unseen.table)).max() <= apart
    return after


def _first(examples: Examples, rows: int) -> Examples:
    weight = None if examples.weight is None else examples.weight[:rows]
    return Examples(table=examples.table.slice(0, rows), target=examples.target[:rows], weight=weight)
