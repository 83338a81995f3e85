"""Cleaning: declared steps, kept as a recipe; a new version beside the old one, which stays as it was."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.core.recipe import Recipe, Step
from luban.data import versions
from luban.data.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from luban.core.dataset import Dataset
    from luban.core.schema import Schema
    from luban.store import Workspace

PREFIX = "clean."


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """A table after cleaning, its schema, and in words what each step did."""

    table: pa.Table
    schema: Schema
    notes: tuple[str, ...]


def clean(
    workspace: Workspace, dataset: Dataset | str, steps: Recipe | Sequence[Step | str], *, name: str | None = None
) -> tuple[Dataset, tuple[str, ...]]:
    """Clean a version of a data set and return (the new version, what was done).

    Nothing is lost: the parent stays, and the recipe is on record. The table is held in memory.

    Parameters
    ----------
    workspace : Workspace
    dataset : Dataset or str
    steps : Recipe, or sequence of Step or str
        As `recipe` takes them.
    name : str, optional
        Of the data set that gets the new version; by default the same.
    """
    if isinstance(dataset, str):
        dataset = workspace.datasets.get(dataset)
    wanted = steps if isinstance(steps, Recipe) else recipe(steps)
    cleaned = apply(versions.table(workspace, dataset), dataset.schema, wanted)
    new = versions.add_version(
        workspace,
        cleaned.table.to_batches(),
        name=name or dataset.name,
        schema=cleaned.schema,
        parents=(dataset.reference,),
        recipe=wanted,
        source=f"cleaned {dataset.reference}",
    )
    return new, cleaned.notes


def apply(table: pa.Table, schema: Schema, recipe: Recipe) -> Cleaned:
    """Apply a recipe of cleaning steps to a table, one after the other.

    Raises
    ------
    NotFound
        If there is no such step or column, with the nearest names.
    InputError
        If a parameter is wrong or a step cannot be done.
    """
    notes = []
    for step in recipe.steps:
        function = _step(step.component)
        try:
            inspect.signature(function).bind(table, schema, **step.parameters)
        except TypeError as error:
            known = [one for one in inspect.signature(function).parameters if one not in {"table", "schema"}]
            raise InputError(
                f"the cleaning step {step.component!r} is not complete or has a parameter too many",
                seen=str(error),
                remedy=f"Its parameters: {', '.join(known) or 'none'}.",
            ) from error
        table, schema, note = function(table, schema, **step.parameters)
        notes.append(f"{step.component.removeprefix(PREFIX)}: {note}")
    return Cleaned(table=table, schema=schema, notes=tuple(notes))


def recipe(steps: Sequence[Step | str], *, seed: int = 0) -> Recipe:
    """Return the recipe of these steps; each is a `Step` or a line such as those below.

    ``duplicates`` · ``constant`` · ``drop columns=a,b`` · ``fill columns=age value=median`` ·
    ``clip columns=fare low=0`` · ``infinities`` · ``trim`` · ``case to=lower`` ·
    ``parse columns=price to=number`` · ``filter column=age operator=>= value=18``
    """
    made: list[Step] = []
    for step in steps:
        one = _from_line(step) if isinstance(step, str) else step
        _step(one.component)
        before = (made[-1].name,) if made else ()
        name = one.name or f"{len(made) + 1}-{one.component.removeprefix(PREFIX)}"
        made.append(Step(component=one.component, parameters=one.parameters, inputs=before, name=name))
    if not made:
        raise InputError("no cleaning step is given", remedy=f"Steps: {', '.join(STEPS)}.")
    return Recipe(steps=tuple(made), seed=seed)


def _step(component: str) -> Any:
    name = component.removeprefix(PREFIX)
    if name not in STEPS:
        raise NotFound.named("cleaning step", name, STEPS)
    return STEPS[name]


def _from_line(line: str) -> Step:
    name, *words = line.split()
    parameters: dict[str, Any] = {}
    last = ""
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key.isidentifier():
            parameters[key], last = value, key
        elif last:  # a name or a value with a space in it
            parameters[last] += f" {word}"
        else:
            raise InputError("a cleaning step cannot be read", seen=line, remedy="Write: name parameter=value ...")
    for key, value in parameters.items():
        parameters[key] = value.split(",") if key == "columns" else _value(value)
    return Step(component=PREFIX + name, parameters=parameters)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
