"""The members of an ensemble, learnt from ever more of the rows: what a learning curve is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import OutOfTime
from luban.core.protocols import Examples
from luban.data.split import folds
from luban.evaluation.metrics import metric
from luban.search.learners import learner_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.recipe import Recipe
    from luban.core.schema import Schema
    from luban.core.task import Task

REPEATS = 5
# Each size is twice the one before; the last is all rows that a repeat may learn from.
SIZES = 6
FEWEST_ROWS = 40
# Share of the rows of a size that tell when to stop.
_STOPPING = 0.15


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Scores by rows.

    Parameters
    ----------
    sizes : tuple of int
        Rows learnt from, ascending.
    scores : tuple of tuples of float
        For each size one score a repeat, in the metric's natural sense.
    most : int
        Rows that there were to learn from.
    """

    sizes: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    most: int


def grow(
    task: Task,
    schema: Schema,
    table: pa.Table,
    target: np.ndarray,
    recipe: Recipe,
    *,
    groups: np.ndarray | None = None,
    moments: np.ndarray | None = None,
    effort: Effort,
    tell: Callable[[int, int], None] = lambda _done, _rows: None,
    stop: Callable[[], bool] = lambda: False,
) -> Growth:
    """Fit the members of a recipe on ever more rows, and score their blend on rows that are always the same.

    A repeat judges by one fifth of the rows (the latest ones, where there are `moments`) and learns from parts of the
    others, each part within the next. Within one size 15 % of its rows tell the members when to stop.

    Parameters
    ----------
    recipe : Recipe
        Of a study: the members, and last the ensemble with their weights.
    effort : Effort
        Repeats are added as long as there is time.
    tell : callable, optional
        Called with the number of fits done and the rows of the last one.
    stop : callable, optional
        Asked after each size whether to end with what there is.

    Raises
    ------
    OutOfTime
        If there was no time for two sizes.
    """
    judge = metric(task.metric, task)
    found: dict[int, list[float]] = {}
    pairs = folds(task, target, groups, REPEATS, effort.seed, moments=moments)
    pairs = pairs[-1:] * REPEATS if moments is not None else pairs
    sizes = _sizes(min(len(learnt) for learnt, _ in pairs))
    done = 0
    for repeat, (learnt, judged) in enumerate(pairs):
        order = np.random.default_rng([effort.seed, repeat]).permutation(learnt)
        truth = target[judged]
        for size in sizes:
            part = order[:size]
            if task.classifies and len(np.unique(target[part])) < len(np.unique(target)):
                continue  # a class that was never seen cannot be predicted
            blend = _blend(task, schema, table, target, recipe, part, judged, effort)
            if effort.expired:
                break
            score = judge(task, truth, blend)
            if np.isfinite(score):
                found.setdefault(size, []).append(float(score))
            done += 1
            tell(done, size)
            if stop():
                break
        if effort.expired or stop():
            break
    if len(found) < 2:
        raise OutOfTime(
            "a learning curve needs at least two sizes",
            seen=f"{len(target):,} rows, {len(found)} sizes in time",
            remedy="Give a longer budget, or more rows.",
        )
    ordered = sorted(found)
    return Growth(sizes=tuple(ordered), scores=tuple(tuple(found[size]) for size in ordered), most=sizes[-1])


def _sizes(most: int) -> list[int]:
    return sorted({size for power in range(SIZES) if (size := most >> power) >= FEWEST_ROWS} | {most})


def _blend(
    task: Task,
    schema: Schema,
    table: pa.Table,
    target: np.ndarray,
    recipe: Recipe,
    part: np.ndarray,
    judged: np.ndarray,
    effort: Effort,
) -> np.ndarray:
    """Return what the members that learnt from `part` predict together for the rows judged."""
    *members, join = recipe.steps
    weights: Sequence[float] = join.parameters["weights"]
    kept = max(1, round(_STOPPING * len(part)))
    stopping, learning = np.sort(part[:kept]), np.sort(part[kept:])
    inputs = table.take(judged)
    total: Any = 0.0
    for step, weight in zip(members, weights, strict=True):
        parameters = {name: value for name, value in step.parameters.items() if name != "learnt_from"}
        model = learner_named(step.component).fit(
            task,
            schema,
            Examples(table=table.take(learning), target=target[learning]),
            Examples(table=table.take(stopping), target=target[stopping]),
            parameters=parameters,
            effort=effort,
        )
        total = total + weight * np.asarray(model.predict(inputs))
    return np.asarray(total / sum(weights))
