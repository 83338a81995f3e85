"""What every way to adapt a backbone must do; run it over one of your own with `check_way`."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.budget import Effort
from luban.core.protocols import Unsuitable
from luban.foundation.training.options import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.foundation.adapted import Adapted
    from luban.foundation.backbone import Backbone
    from luban.foundation.way import Way


def check_way(
    name: str,
    make: Callable[[], Backbone],
    task: Task,
    training: Examples,
    *,
    parameters: Mapping[str, Any] | None = None,
) -> Adapted | None:
    """Raise AssertionError where a way breaks the protocol; return what it made.

    None is returned where it says that it does not suit the backbone or the task.

    Parameters
    ----------
    name : str
        Its entry point in ``luban.ways``.
    make : callable
        Returns a backbone, always the same one, freshly loaded.
    training : Examples
        Some dozen rows of the task, whose inputs are the columns that the backbone reads.
    parameters : mapping, optional
        Of the training, that it be short.
    """
    from luban.foundation import adapted as stored
    from luban.foundation.adapt import adapt
    from luban.foundation.setup import find

    way = find(name)
    _check_words(way, task, len(training.table))
    answer = way.supports(make(), task)
    if isinstance(answer, Unsuitable):
        assert answer.reason, "it says that it does not suit, and not why"
        return None
    _check_applied(way, make(), task, training)
    before = dict(make().save())
    result = adapt(
        make(), name, task, task.inputs, training, None, parameters=dict(parameters or {}), effort=Effort(seed=1)
    )
    payloads = result.save()
    kept = {one.removeprefix("backbone/"): content for one, content in payloads.items() if one.startswith("backbone/")}
    assert way.rewrites or kept == before, "it does not rewrite the backbone, and it is not as it was"
    margins = result.margins(training.table)
    again = stored.load(payloads).margins(training.table)
    apart = np.nanmax(np.abs(again - margins), initial=0.0)
    assert apart <= 1e-6 * max(1.0, np.nanmax(np.abs(margins), initial=0.0)), "saved and loaded it answers otherwise"
    return result


def _check_words(way: Way, task: Task, rows: int) -> None:
    """Check what it says of itself."""
    from luban.foundation.way import Repeating, Solving, Way

    assert isinstance(way, Way), f"{way!r} lacks a part of the protocol Way"
    assert is_dataclass(way.options), "its options are no dataclass"
    options = way.options()
    assert way.rate > 0, "its learning rate is not above zero"
    assert not (way.rewrites and way.reads_only), "what only reads rewrites nothing"
    known = {one.name for kind in (way.options, Training) for one in fields(kind)}
    asked = {name for one in way.suggestions(task) for name in one.parameters} | set(way.space(task))
    assert asked <= known, f"nobody knows its parameters {sorted(asked - known)}"
    if isinstance(way, Repeating):
        assert way.passes(options, rows) >= 1, "it passes over the rows less than once"
    if isinstance(way, Solving):
        assert way.reads_only, "what solves for a head alone only reads"
        assert way.solutions(options) >= 1, "it solves for a head less than once"


def _check_applied(way: Way, backbone: Backbone, task: Task, training: Examples) -> None:
    """Check that it trains of the body what it says."""
    from luban.foundation.training.rows import Rows

    tensors = Rows(backbone.preparation(task.inputs), training.table.slice(0, 1)).batch(np.arange(1))
    applied = way.apply(backbone, way.options(), tensors)
    trained = {id(one) for one in applied.body.parameters() if one.requires_grad}
    assert trained == {id(one) for one in applied.parameters.values()}, "other weights have gradients than it trains"
    assert bool(trained) != way.reads_only, "it says otherwise than it does whether it only reads"
