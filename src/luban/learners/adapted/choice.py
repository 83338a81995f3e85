"""Which columns a backbone can read, and which backbone reads them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.errors import InputError
from luban.core.protocols import Unsuitable
from luban.core.space import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.schema import Column, Schema
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone, Card

_TOLD = 200


@lru_cache(maxsize=1)
def cards() -> Mapping[str, Card]:
    """Return what is known of each backbone of the zoo, by name; no weights are read."""
    return {name: plugins.create("backbones", name).card() for name in plugins.names("backbones")}


def readable(schema: Schema) -> list[Column]:
    """Return the input columns of a kind that some backbone reads."""
    kinds = {card.kind for card in cards().values()}
    return [column for column in schema.inputs if column.kind in kinds]


def wanted(task: Task, parameters: Mapping[str, Any]) -> str | None:
    """Return the backbone that the parameters name, or the one that the task insists on; None for the default."""
    named = parameters.get("backbone") or task.constraints.get("backbone")
    return None if named is None else str(named)


def wished(task: Task) -> Mapping[str, Any]:
    """Return how a network is to be fine-tuned where somebody said so: ``way``, and parameters of it."""
    found: Mapping[str, Any] = task.constraints.get("adapt", {})
    return found


def offered(task: Task, kinds: Sequence[str]) -> dict[str, Choice]:
    """Return the backbones to search over, as the parameter ``backbone``: of these kinds, and there without a download.

    None, the default for the rows, is one of them. There is nothing to search where it is the only one of its kind,
    or where the task insists on one.
    """
    if task.constraints.get("backbone"):
        return {}
    ready = [card for card in cards().values() if card.kind in kinds and not card.needs]
    several = [card.name for card in ready if sum(card.kind == other.kind for other in ready) > 1]
    return {"backbone": Choice((None, *sorted(several)))} if several else {}


def missing(schema: Schema) -> Unsuitable | None:
    """Return why no backbone can serve these columns, or None where one can: what is absent, or what to install."""
    columns = readable(schema)
    if not columns:
        kinds = sorted({card.kind for card in cards().values()})
        return Unsuitable(f"no input is of a kind that a backbone reads ({', '.join(kinds)})")
    for kind in dict.fromkeys(column.kind for column in columns):
        known = [card for card in cards().values() if card.kind == kind]
        if all(card.needs for card in known):
            return Unsuitable(f"no backbone that reads {kind} is installed; run: {known[0].needs}")
    return None


def kind_of(schema: Schema, name: str) -> str:
    """Return the kind of a column."""
    return schema.column(name).kind


@lru_cache(maxsize=3)
def _kept(name: str) -> Backbone:
    from luban.foundation import zoo

    return zoo.find(name).load()


def backbone_named(name: str | None, kind: str, table: pa.Table, columns: Sequence[str]) -> Backbone:
    """Return a backbone of its own, that may be changed: the one named if it reads this kind, else the default.

    Parameters
    ----------
    name : str, optional
        Of the zoo, a hub identifier or a folder.
    """
    # Copying what the process has is twenty times as quick as reading it again.
    found = frozen_backbone(name, kind, table, columns)
    return replace(found, body=deepcopy(found.body))


def frozen_backbone(name: str | None, kind: str, table: pa.Table, columns: Sequence[str]) -> Backbone:
    """Return a backbone that is never changed, so that one copy serves the whole process."""
    from luban.foundation import zoo

    if name is None or zoo.find(name).card().kind != kind:
        told = [one for column in columns for one in table.column(column).slice(0, _TOLD).to_pylist() if one]
        name = zoo.default(kind, told).card().name
    return _kept(name)


def frozen_backbone_of(task: Task, schema: Schema, table: pa.Table) -> Backbone:
    """Return the backbone that a network for these rows would begin with, never to be changed."""
    columns = columns_of(schema)
    return frozen_backbone(wanted(task, {}), kind_of(schema, columns[0]), table, columns)


def single(schema: Schema) -> tuple[str, ...] | Unsuitable:
    """Return the one column, or the pair of texts, that a network of one backbone reads, or why there is none."""
    columns = readable(schema)
    kinds = list(dict.fromkeys(column.kind for column in columns))
    for kind in kinds:
        names = tuple(column.name for column in columns if column.kind == kind)
        if len(names) == 1 or (kind == "text" and len(names) == 2):
            return names
    counted = ", ".join(f"{sum(column.kind == kind for column in columns)} of {kind}" for kind in kinds)
    return Unsuitable(f"a network reads one column, or a pair of texts, and there are {counted or 'none'}")


def columns_of(schema: Schema) -> tuple[str, ...]:
    """Return the columns that a network of one backbone reads.

    Raises
    ------
    InputError
        If there are none, or too many.
    """
    found = single(schema)
    if isinstance(found, Unsuitable):
        raise InputError(found.reason, remedy="Leave the other columns out with --ignore.")
    return found
