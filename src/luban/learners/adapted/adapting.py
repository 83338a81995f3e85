"""What learners that train a network share: which parameter goes where, and the call."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.errors import InputError
from luban.core.preparation import Augmenting
from luban.core.space import Integer, Real
from luban.learners.adapted import choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.foundation.adapted import Adapted
    from luban.foundation.backbone import Backbone

AUGMENT = "augment"
"""One number for all augmentations of a preparation: 0 for none, 1 for as much as is worth trying."""


def train(
    backbone: Backbone,
    way: str,
    task: Task,
    columns: Sequence[str],
    training: Examples,
    validation: Examples | None,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
    report: Callable[[int, float], bool] | None,
) -> Adapted:
    """Adapt the backbone with parameters that may name what only another way knows."""
    from luban.foundation.adapt import adapt

    given, augmentation = sorted_out(backbone, way, columns, parameters)
    return adapt(
        backbone,
        way,
        task,
        columns,
        training,
        validation,
        parameters=given,
        effort=effort,
        report=report,
        augmentation=augmentation,
    )


def sorted_out(
    backbone: Backbone, way: str, columns: Sequence[str], parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters of the training, and those of the augmentation.

    A parameter of another way is left out, as a searcher walks the spaces of all ways at once; None is left to the
    default.

    Raises
    ------
    InputError
        For a name that nothing knows.
    """
    from luban.foundation.adapted import Reading
    from luban.foundation.training.options import Training

    own = {one.name for kind in (plugins.create("ways", way).options, Training, Reading) for one in fields(kind)}
    others = {one.name for name in plugins.names("ways") for one in fields(plugins.create("ways", name).options)}
    preparation = backbone.preparation(columns)
    space = preparation.augmentations if isinstance(preparation, Augmenting) else {}
    given = {name: value for name, value in parameters.items() if value is not None}
    amount = float(given.pop(AUGMENT, 0.0))
    known = own | others | set(space)
    for name, value in given.items():
        if name not in known:
            raise InputError(
                f"there is no parameter {name!r}", seen=repr(value), remedy=f"Known are: {', '.join(sorted(known))}."
            )
    varied = {name: _amount(one, amount) for name, one in space.items() if name not in own} if amount else {}
    varied |= {name: value for name, value in given.items() if name in space and name not in own}
    if amount and "mixup" in space:
        given.setdefault("mixup", _amount(space["mixup"], amount))
    return {name: value for name, value in given.items() if name in own}, varied


def check(task: Task, schema: Schema, table: pa.Table) -> None:
    """Load the backbone that the rows would have, and raise where it cannot be fine-tuned as the task wishes.

    Raises
    ------
    NotFound
        If there is no such way.
    Unsupported
        If the backbone cannot be adapted so, with the reason.
    InputError
        If no column is one that a network reads, a parameter is unknown or its value makes no sense.
    """
    from luban.foundation.setup import choose

    columns = choice.columns_of(schema)
    wishes = dict(choice.wished(task))
    way = str(wishes.pop("way", "full"))
    plugins.origin("ways", way)
    kind = choice.kind_of(schema, columns[0])
    backbone = choice.frozen_backbone(choice.wanted(task, {}), kind, table, columns)
    given, _ = sorted_out(backbone, way, columns, wishes)
    choose(backbone, way, task, given)


def _amount(distribution: Any, amount: float) -> Any:
    if isinstance(distribution, Real):
        return distribution.high * amount
    if isinstance(distribution, Integer):
        return round(distribution.high * amount)
    return distribution.values[-1]
