"""The members of an ensemble one by one: which of them convert, and the ensemble without some."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, LubanError, NotFound, Unsupported
from luban.export.onnx.build import build
from luban.export.onnx.parity import Parity, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa


def names(fitted: Any) -> tuple[str, ...]:
    """Return the names of the members: their learners, numbered where one has several (``lightgbm``, ``lightgbm-2``).

    Empty where the model is no ensemble.
    """
    seen: dict[str, int] = {}
    found = []
    for member in getattr(fitted.model, "members", ()):
        seen[member.learner] = seen.get(member.learner, 0) + 1
        found.append(member.learner if seen[member.learner] == 1 else f"{member.learner}-{seen[member.learner]}")
    return tuple(found)


def without(fitted: Any, left_out: Sequence[str]) -> Any:
    """Return the fitted model without some members; the weights of the others are scaled to sum to 1.

    Temperature and threshold stay as they are.

    Raises
    ------
    NotFound
        If a member does not exist.
    InputError
        If no member, or none with a weight, would be left.
    """
    known = names(fitted)
    for name in left_out:
        if name not in known:
            raise NotFound.named("member of the ensemble", name, known)
    return _only(fitted, [place for place, name in enumerate(known) if name not in left_out])


def _only(fitted: Any, places: Sequence[int]) -> Any:
    weights = tuple(float(fitted.model.weights[place]) for place in places)
    if not sum(weights) > 0:
        raise InputError("an ensemble needs at least one member with a weight", seen=f"members {names(fitted)}")
    members = tuple(fitted.model.members[place] for place in places)
    scaled = tuple(weight / sum(weights) for weight in weights)
    return replace(fitted, model=replace(fitted.model, members=members, weights=scaled))


def _alone(fitted: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of each member that has a weight, and the model with it alone."""
    for place, name in enumerate(names(fitted)):
        if fitted.model.weights[place]:
            yield name, _only(fitted, [place])


def refusals(fitted: Any) -> dict[str, str]:
    """Return the members that cannot be written as ONNX, with the reason of each."""
    found = {}
    for name, alone in _alone(fitted):
        try:
            build(alone)
        except Unsupported as error:
            found[name] = str(error)
    return found


def parities(fitted: Any, table: pa.Table) -> dict[str, Parity]:
    """Return how close each member alone is to its own graph."""
    return {name: measure(alone, build(alone), table) for name, alone in _alone(fitted)}


def offer(fitted: Any, left_out: Sequence[str], table: pa.Table | None) -> str:
    """Return in words what can be exported without these members, and how its predictions differ on real rows."""
    try:
        rest = without(fitted, left_out)
    except LubanError:
        return "No other member could stand in for it."
    kept = ", ".join(names(rest))
    how = f"Without {', '.join(left_out)} the ensemble of {kept} converts: pass without={list(left_out)}."
    if table is None or not table.num_rows:
        return how
    full, less = fitted.model.predict(table), rest.model.predict(table)
    difference = np.abs(full - less)
    return (
        f"{how} On {table.num_rows} rows its predictions differ from the whole model's by {difference.mean():.2g} "
        f"on average and {difference.max():.2g} at most."
    )
