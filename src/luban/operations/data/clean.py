"""Data clean: declared steps make a new version; the old one stays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.recipe import Recipe

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class CleanedData:
    """The new version, the one it was made from, and what was done."""

    dataset: str
    parent: str
    fingerprint: str
    rows: int
    notes: tuple[str, ...]
    recipe: Recipe | None


@operation(permission="data:write", long=True, name="data clean", existing=True)
def data_clean(
    workspace: Workspace,
    data: str,
    steps: tuple[str, ...] = (),
    *,
    recipe: Path | None = None,
    name: str | None = None,
) -> CleanedData:
    """Clean a data set in declared steps; a new version is made, the old one stays.

    Steps: `duplicates`, `constant`, `drop columns=a,b`, `fill columns=age value=median`, `clip columns=fare low=0`,
    `infinities`, `trim`, `case to=lower`, `parse columns=price to=number`, `filter column=age operator=>= value=18`.

    Parameters
    ----------
    data
        The data set: NAME or NAME/VERSION.
    steps
        What to do, one quoted argument each, in order.
    recipe
        A YAML file of steps, instead.
    name
        Name of the data set that gets the new version; by default the same.
    """
    from luban.data import clean
    from luban.operations.reading import dataset_named
    from luban.store.names import valid_name

    if (recipe is None) == (not steps):
        raise InputError(
            "give either steps or a recipe", remedy='Example: luban data clean adult duplicates "drop columns=id"'
        )
    if name is not None:
        valid_name("data set", name)
    wanted = clean.recipe(steps) if recipe is None else read_recipe(recipe)
    parent = dataset_named(workspace, data)
    made, notes = clean.clean(workspace, parent, wanted, name=name)
    return CleanedData(
        dataset=made.reference,
        parent=parent.reference,
        fingerprint=made.fingerprint,
        rows=made.rows,
        notes=notes,
        recipe=wanted,
    )


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a YAML file.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no recipe.
    """
    import yaml

    from luban.core.serial import from_json

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("the recipe cannot be read", seen=f"{path}: {error}") from error
    return from_json(Recipe, content)
