"""What has learnt from a person's rows: data sets that hold them, and the versions of models made of these."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.operations.updating.subject import TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from luban.core.dataset import Dataset
    from luban.core.model import ModelVersion
    from luban.operations.updating.rows import Rows
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A version of a data set with rows of a person, and what was made of it.

    Attributes
    ----------
    rows : int
        Rows that bear the person's name as their key, or are equal to labelled predictions about the person.
    models : tuple of str
        Versions that learnt from it, or whose next update would, and those that went on from them.
    """

    dataset: str
    rows: int
    models: tuple[str, ...] = ()


def learnt_from(workspace: Workspace, subject: str) -> tuple[Learnt, ...]:
    """Return which data sets hold rows of a person; to be asked before these go from the prediction log.

    Data sets that updates made bear no names: their rows are held against the person's labelled predictions, so that
    rows of somebody else that are equal in every column count too.
    """
    found: Counter[str] = Counter()
    for dataset in workspace.datasets.list():
        for one in workspace.datasets.versions(dataset.name):
            found[one.reference] += _named(workspace, one, subject)
    with tempfile.TemporaryDirectory(prefix="luban-") as copies:
        for deployment in workspace.predictions.about(subject):
            for theirs in _theirs(workspace, deployment, subject, Path(copies)):
                for name in dict.fromkeys((f"{deployment}.update", f"{theirs.model.name}.update")):
                    for one in _versions(workspace, name):
                        found[one.reference] = max(found[one.reference], _equal(workspace, theirs, one))
    versions = [each for one in workspace.models.list() for each in workspace.models.versions(one.name)]
    return tuple(
        Learnt(dataset=reference, rows=rows, models=_made_of(reference, versions))
        for reference, rows in sorted(found.items())
        if rows
    )


def _named(workspace: Workspace, dataset: Dataset, subject: str) -> int:
    """Return how many rows have the person as their key."""
    from luban.data import versions

    key = dataset.schema.key
    if key is None:
        return 0
    return [str(one) for one in versions.table(workspace, dataset, columns=[key])[key].to_pylist()].count(subject)


@dataclass(frozen=True, kw_only=True)
class _Theirs:
    """Labelled predictions about a person as rows to learn from, and the version that predicted.

    Pictures and sounds are paths with their digests; what of them cannot be read is known to `whole` alone, which
    fetches them.
    """

    model: ModelVersion
    rows: Rows
    whole: Callable[[], Rows]


def _theirs(workspace: Workspace, deployment: str, subject: str, copies: Path) -> list[_Theirs]:
    """Return the labelled predictions about a person, by the version that predicted."""
    import pyarrow.compute as pc

    from luban.data.conform import conform
    from luban.operations.updating.asked import referred
    from luban.operations.updating.rows import learnable

    log = workspace.labels.joined(deployment)
    log = log.filter(pc.fill_null(pc.equal(log["subject"], subject), False))
    found = []
    for reference in log["model"].unique().to_pylist():
        mine = log.filter(pc.equal(log["model"], reference))
        try:
            version = workspace.models.get(reference)
        except NotFound:  # deleted, it tells no more what its inputs were
            continue
        mine, asked, _ = referred(workspace, version.signature.inputs, mine, copies)
        inputs = mine.select([name for name in mine.column_names if name.startswith("input.")])
        if not inputs.num_columns:
            continue
        inputs = inputs.rename_columns([name.removeprefix("input.") for name in inputs.column_names])
        table = conform(inputs, version.signature.inputs, missing="fill", infinities="missing").table
        try:
            rows = learnable(version.task, table, mine["label"])[0]
        except InputError:  # none of the labels is one that is learnt from
            continue
        whole = partial(_readable, workspace, rows, asked, copies)
        found.append(_Theirs(model=version, rows=rows, whole=whole))
    return found


def _readable(workspace: Workspace, rows: Rows, asked: Mapping[str, str], copies: Path) -> Rows:
    from luban.operations.updating.asked import fetched
    from luban.operations.updating.rows import without

    return without(rows, fetched(workspace, asked, copies))


def _versions(workspace: Workspace, name: str) -> list[Dataset]:
    try:
        return workspace.datasets.versions(name)
    except NotFound:
        return []


def _equal(workspace: Workspace, theirs: _Theirs, dataset: Dataset) -> int:
    """Return how many rows of a data set are equal to theirs."""
    from luban.data import versions
    from luban.data.conform import conform
    from luban.operations.updating.continued import keys
    from luban.operations.updating.rows import learnable

    model = theirs.model
    if not {*(column.name for column in model.signature.inputs), model.task.target} <= set(dataset.schema.names):
        return 0
    table = versions.table(workspace, dataset, fetch=False)
    inputs = conform(table, model.signature.inputs, infinities="missing").table
    rows = learnable(model.task, inputs, table[model.task.target])[0]
    wanted = set(keys(_by_digest(theirs.rows)))
    if _some_media_are_missing(rows.table):  # as those of broken files are
        wanted |= set(keys(_by_digest(theirs.whole())))
    return sum(one in wanted for one in keys(_by_digest(rows)))


def _some_media_are_missing(table: pa.Table) -> bool:
    from luban.data.media import marks

    return any(table[field.name].null_count for field in table.schema if marks.kind(field) is not None)


def _by_digest(rows: Rows) -> Rows:
    """Return rows with the digests of pictures and sounds, by which stored content is named, in place of its paths."""
    import pyarrow as pa

    from luban.data.media import marks

    table = rows.table
    for place, field in enumerate(table.schema):
        if marks.kind(field) is not None:
            paths = [None if one is None else Path(one).parts[-2:] for one in table[field.name].to_pylist()]
            digests = pa.array([None if one is None else "".join(one) for one in paths], pa.string())
            table = table.set_column(place, pa.field(field.name, pa.string()), digests)
    return replace(rows, table=table)


def _made_of(reference: str, versions: list[ModelVersion]) -> tuple[str, ...]:
    """Return the versions that learnt from a data set, or will in an update, and those that went on from them."""
    found = {one.reference for one in versions if reference in (one.dataset, (one.tags.get(TAG) or {}).get("base"))}
    for one in versions:  # a version comes after the one that it goes on from
        if _before(one) & found:
            found.add(one.reference)
    return tuple(one.reference for one in versions if one.reference in found)


def _before(version: ModelVersion) -> set[Any]:
    """Return the versions that one went on learning from."""
    steps = () if version.recipe is None else version.recipe.steps
    return {step.parameters.get("from") for step in steps if step.component == "continue"}
