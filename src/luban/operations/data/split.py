"""Data split: a data set in disjoint parts, each a data set of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.recipe import Recipe, Step

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a split."""

    dataset: str
    rows: int
    share: float


@dataclass(frozen=True, kw_only=True)
class SplitData:
    """The parts of a data set."""

    parent: str
    parts: tuple[Part, ...]


@operation(permission="data:write", long=True, name="data split", existing=True)
def data_split(
    workspace: Workspace,
    data: str,
    *,
    shares: tuple[float, ...] = (0.7, 0.3),
    names: tuple[str, ...] = (),
    how: Literal["random", "stratified", "group", "time"] = "random",
    by: str | None = None,
    seed: int = 0,
) -> SplitData:
    """Split a data set into disjoint parts; each becomes a data set with this one as its parent.

    Parameters
    ----------
    data
        The data set: NAME or NAME/VERSION.
    shares
        Share of each part; they sum to 1.
    names
        Names of the parts; by default NAME_train and NAME_test, or NAME_1, NAME_2, ... for other than two.
    how
        random, stratified (by the values of a column), group (a value of a column is never parted) or time.
    by
        The column to stratify, group or order by.
    seed
        Seed of the random split.
    """
    from luban.data import versions
    from luban.data.split import split
    from luban.operations.reading import dataset_named
    from luban.store.names import valid_name

    parent = dataset_named(workspace, data)
    endings = ("train", "test") if len(shares) == 2 else tuple(str(i) for i in range(1, len(shares) + 1))
    wanted = names or tuple(f"{parent.name}_{ending}" for ending in endings)
    if len(wanted) != len(shares):
        raise InputError("each part needs one name", seen=f"{len(wanted)} names for {len(shares)} parts")
    for name in wanted:
        valid_name("data set", name)
    table = versions.table(workspace, parent)
    parts = []
    chosen = {"shares": list(shares), "how": how, "by": by}
    for number, (name, rows) in enumerate(
        zip(wanted, split(table, parent.schema, shares=shares, how=how, by=by, seed=seed), strict=True)
    ):
        made = versions.add_version(
            workspace,
            table.take(rows).to_batches(),
            name=name,
            schema=parent.schema,
            parents=(parent.reference,),
            recipe=Recipe(steps=(Step(component="split", parameters={**chosen, "part": number}),), seed=seed),
            source=f"part {number + 1} of {parent.reference}",
        )
        parts.append(Part(dataset=made.reference, rows=made.rows, share=made.rows / max(1, table.num_rows)))
    return SplitData(parent=parent.reference, parts=tuple(parts))
