"""Ways beside one that was measured: what they would take, by a few steps of each on one small batch."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.protocols import Examples, Forecast
from luban.foundation.forecast import Reading, Stepping, told
from luban.foundation.setup import choose, find, set_up
from luban.foundation.training import device, state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone

_ROWS = 16
_STEPS = 3
# A pass backward computes about as much for the weights as for what flows through them, and each of the two about as
# much as a pass forward (Kaplan and others 2020, arXiv:2001.08361, table 1).
_FORWARD, _FORWARD_AND_BACK, _ALL = 1.0, 2.0, 3.0
# Gradients, the two moments of Adam and the best state.
_KEPT_FOR_A_WEIGHT = 4


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step of a way takes.

    Attributes
    ----------
    seconds : float
        For the same few rows as those of the ways that it is compared with.
    changing : int
        Bytes of what is trained.
    """

    seconds: float
    changing: int


def step(
    backbone: Backbone,
    way: str,
    task: Task,
    columns: Sequence[str],
    training: Examples,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
) -> Step:
    """Return the quickest of three steps on the first sixteen rows, after one that warms up.

    Parameters
    ----------
    backbone : Backbone
        It is taken over, as by `adapt`.

    Raises
    ------
    Unsupported
        If the backbone cannot be adapted so, with the reason.
    """
    chosen, options, settings, reading = choose(backbone, way, task, parameters)
    few = Examples(table=training.table.slice(0, _ROWS), target=training.target[:_ROWS])
    with device.threads(effort.threads):
        setup = set_up(
            backbone,
            chosen,
            task,
            columns,
            few,
            None,
            options=options,
            settings=replace(settings, batch=_ROWS),
            reading=reading,
            effort=effort,
        )
        work = setup.work
        move = Stepping(work, precision="float32") if work.applied.parameters else Reading(work)
        rows = np.arange(len(few.table))
        taken = []
        for _ in range(1 + _STEPS):
            started = time.perf_counter()
            move(rows)
            device.wait(work.place.device)
            taken.append(time.perf_counter() - started)
        return Step(seconds=min(taken[1:]), changing=sum(one.nbytes for one in state.changing(work.network).values()))


def beside(way: str, known: Forecast, by: str, *, steps: Mapping[str, Step], rows: int, options: Any) -> Forecast:
    """Return the forecast of a way by that of another one.

    Parameters
    ----------
    by : str
        The way that `known` is of.
    steps : mapping of str to Step
        What was tried of both; where one is missing the shares of passes forward and back tell.
    rows : int
        To learn from.
    options
        Of the way; for one that is `luban.foundation.way.Repeating` they say how often it passes over the rows.
    """
    own, other = steps.get(way), steps.get(by)
    memory = known.memory
    if own is not None and other is not None:
        ratio = own.seconds / max(other.seconds, 1e-9)
        memory += _KEPT_FOR_A_WEIGHT * (own.changing - other.changing)
        note = f"a step takes {ratio:.2f} times that of {by}"
    else:
        ratio = _cost(way) / _cost(by)
        note = f"by the steps of {by}, of which it takes {ratio:.2f}"
    note += told(find(way), options, rows)
    return Forecast(seconds=known.seconds * ratio, memory=max(0, memory), note=note, room=known.room, host=known.host)


def _cost(way: str) -> float:
    """Return how much a pass costs beside one forward, by what the way trains."""
    found = find(way)
    if found.rewrites:
        return _ALL
    return _FORWARD if found.reads_only else _FORWARD_AND_BACK
