"""Rows into parts: to learn from and to judge by, and the folds of a cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.data.numbers import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Schema
    from luban.core.task import Task

How = Literal["random", "stratified", "group", "time"]


def split(
    table: pa.Table,
    schema: Schema,
    *,
    shares: Sequence[float] = (0.7, 0.3),
    how: How = "random",
    by: str | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, ...]:
    """Split the rows into disjoint parts that together are all rows; the same seed gives the same parts.

    Parameters
    ----------
    table : pyarrow.Table, n rows
    schema : Schema
    shares : sequence of float
        Of each part; they sum to 1.
    how : {"random", "stratified", "group", "time"}
        ``stratified`` keeps the mixture of the values of `by` (of quantile bins of it where they are many numbers),
        a value with fewer rows than parts goes to the first parts; ``group`` never parts rows of one value of `by`;
        ``time`` gives the earliest rows to the first part, rows of one moment to one part.
    by : str, optional
        The column; by default the schema's target, group or time column.

    Returns
    -------
    tuple of numpy.ndarray of int64
        Row numbers of each part, ascending.
    """
    portions = _portions(shares)
    generator = np.random.default_rng(seed)
    n = table.num_rows
    if how == "random":
        return _cut(generator.permutation(n), portions)
    column = _column(table, schema, how, by)
    if how == "time":
        codes = ranks(column)
        return _cut_ties(codes, portions)
    if how == "group":
        codes = _codes(column)
        order = generator.permutation(codes.max() + 1)
        return _cut_ties(np.argsort(order)[codes], portions)
    if how == "stratified":
        return _stratified(_strata(column), portions, generator)
    raise InputError(f"there is no split {how!r}", remedy="Known: random, stratified, group, time.")


def folds(
    task: Task,
    target: np.ndarray,
    groups: np.ndarray | None,
    k: int,
    seed: int,
    *,
    moments: np.ndarray | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return k pairs (rows to learn from, rows to judge by) for cross-validation.

    The rows to judge by are disjoint and together all rows (all but the earliest part where `moments` are
    given). Classes are spread evenly, so that a class with at least two rows is always among those learnt
    from; numbers are spread evenly over their range; of several labels a row counts by its rarest. Rows of one group
    stay together.

    Parameters
    ----------
    task : Task
    target : numpy.ndarray, shape (n,), (n, K) or (n, L)
        As `encode_target` returns it.
    groups : numpy.ndarray, shape (n,), optional
        Any values; rows of one value are never on both sides.
    k : int
        At least 2; lowered to the number of rows or groups where these are fewer.
    seed : int
    moments : numpy.ndarray, shape (n,), optional
        Times; each fold then learns from what came before what it is judged by.
    """
    n = len(target)
    if k < 2 or n < 2:
        raise InputError("cross-validation needs two folds and two rows", seen=f"{k} folds, {n} rows")
    generator = np.random.default_rng(seed)
    if moments is not None:
        return _forward(moments, k)
    strata = _strata_of(task, target)
    if groups is None:
        k = min(k, n)
        fold = _deal(strata, k, generator)
    else:
        codes = np.unique(groups, return_inverse=True)[1].ravel()
        k = min(k, int(codes.max()) + 1)
        if k < 2:
            raise InputError("all rows are of one group", remedy="Name another group column, or none.")
        fold = _deal_groups(strata, codes, k, generator)
    return [(np.flatnonzero(fold != place), np.flatnonzero(fold == place)) for place in range(k)]


def _strata_of(task: Task, target: np.ndarray) -> np.ndarray:
    """Return the stratum of each row, int64, shape (n,)."""
    if task.kind not in ("multilabel", "tokens"):
        return target.astype(np.int64) if task.classifies else _bins(target)
    codes = np.arange(len(task.classes))
    borne = target > 0 if task.kind == "multilabel" else (target[:, :, None] == codes).any(axis=1)
    often = np.where(borne, borne.sum(axis=0), np.inf)
    # By the rarest label, as Sechidis and others (2011) deal first what is rarest; rows without any are a stratum too.
    return np.where(borne.any(axis=1), often.argmin(axis=1), len(codes)).astype(np.int64)


def _deal(strata: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """Deal shuffled rows, stratum after stratum, to the folds in turn: sizes differ by at most one."""
    order = generator.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    fold: np.ndarray = np.empty(len(strata), dtype=np.int64)
    fold[order] = np.arange(len(strata)) % k
    return fold


def _deal_groups(strata: np.ndarray, groups: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """Give each group, the largest first, to the fold where it evens the mixture of strata out most."""
    values = np.unique(strata, return_inverse=True)[1].ravel()
    counts = np.zeros((groups.max() + 1, values.max() + 1))
    np.add.at(counts, (groups, values), 1)
    total = counts.sum(axis=0)
    order = generator.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    held = np.zeros((k, counts.shape[1]))
    of_group: np.ndarray = np.empty(len(counts), dtype=np.int64)
    for place, group in enumerate(order):
        empty = np.flatnonzero(held.sum(axis=1) == 0)
        if len(empty) and len(order) - place <= len(empty):
            best = int(empty[0])  # no fold may stay empty
        else:
            after = (held + counts[group]) / total
            cost = (after**2).sum(axis=1) - ((held / total) ** 2).sum(axis=1)
            best = int(cost.argmin())
        held[best] += counts[group]
        of_group[group] = best
    dealt: np.ndarray = of_group[groups]
    return dealt


def _forward(moments: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    ranks = np.unique(moments, return_inverse=True)[1].ravel()
    parts = _cut_ties(ranks, np.full(k + 1, 1 / (k + 1)))
    pairs = [(np.sort(np.concatenate(parts[:place])), parts[place]) for place in range(1, k + 1)]
    pairs = [(before, after) for before, after in pairs if len(before) and len(after)]
    if not pairs:
        raise InputError("all rows are of one moment", remedy="Name another time column, or none.")
    return pairs


def _portions(shares: Sequence[float]) -> np.ndarray:
    portions = np.asarray(shares, dtype=np.float64)
    if len(portions) < 2 or (portions <= 0).any() or abs(portions.sum() - 1) > 1e-6:
        raise InputError(
            "the shares of a split must be positive and sum to 1", seen=str(list(shares)), remedy="Such as 0.7, 0.3."
        )
    return portions


def _column(table: pa.Table, schema: Schema, how: str, by: str | None) -> pa.Array:
    if by is None:
        target = next((column.name for column in schema.columns if column.role == "target"), None)
        by = {"stratified": target, "group": schema.group, "time": schema.time}.get(how)
    if by is None:
        raise InputError(f"a split of kind {how} needs a column", remedy="Name it: --by NAME (by='NAME' in Python).")
    schema.column(by)
    return flat(table[by])


def _codes(column: pa.Array) -> np.ndarray:
    """Return 0.. for each different value in order of appearance; all missing values are one value."""
    if pa.types.is_nested(column.type):  # lists of labels: the same ones in the same order are one value
        column = pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string())
    indices = column.dictionary_encode().indices
    missing = pc.max(indices).as_py() + 1 if indices.null_count < len(indices) else 0
    return np.asarray(indices.fill_null(missing)).astype(np.int64)


def ranks(column: pa.Array) -> np.ndarray:
    """Return the dense rank (from 0) of each value, shape (n,), int64.

    Missing values come first, as nothing is known of their time.
    """
    coded = column.dictionary_encode()
    order = np.asarray(pc.array_sort_indices(coded.dictionary))
    ranks = np.empty(len(order) + 1, dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    ranks[-1] = 0
    found: np.ndarray = ranks[np.asarray(coded.indices.fill_null(len(order)))]
    return found if column.null_count else found - 1


def _strata(column: pa.Array) -> np.ndarray:
    if (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)) and len(column.unique()) > 20:
        return _bins(np.nan_to_num(np.asarray(column.cast(pa.float64()).fill_null(0.0))))
    return _codes(column)


def _bins(values: np.ndarray) -> np.ndarray:
    """Return ten bins of equal count."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, 11)[1:-1]))
    return np.asarray(np.searchsorted(edges, values, side="right"))


def _cut(order: np.ndarray, portions: np.ndarray) -> tuple[np.ndarray, ...]:
    ends = np.round(np.cumsum(portions)[:-1] * len(order)).astype(int)
    return tuple(np.sort(part).astype(np.int64) for part in np.split(order, ends))


def _cut_ties(ranks: np.ndarray, portions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cut rows in the order of their ranks; equal ranks stay together, each part ends nearest to its share."""
    counts = np.bincount(ranks)
    middle = (np.cumsum(counts) - counts / 2) / len(ranks)
    part = np.searchsorted(np.cumsum(portions)[:-1], middle, side="right")[ranks]
    return tuple(np.flatnonzero(part == place).astype(np.int64) for place in range(len(portions)))


def _stratified(strata: np.ndarray, portions: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    parts: list[list[np.ndarray]] = [[] for _ in portions]
    carried = np.zeros(len(portions))
    for stratum in np.unique(strata):
        rows = generator.permutation(np.flatnonzero(strata == stratum))
        exact = portions * len(rows) + carried
        sizes = np.floor(exact + 1e-9).clip(min=0).astype(int)
        while sizes.sum() > len(rows):
            sizes[np.argmax(sizes - exact)] -= 1
        for _ in range(len(rows) - sizes.sum()):
            sizes[np.argmax(exact - sizes)] += 1
        if len(rows) >= len(portions):  # every part gets a row of every value that has enough
            for empty in np.flatnonzero(sizes == 0):
                sizes[np.argmax(sizes)] -= 1
                sizes[empty] += 1
        carried = (exact - sizes) if len(rows) >= len(portions) else carried
        for place, part in enumerate(np.split(rows, np.cumsum(sizes)[:-1])):
            parts[place].append(part)
    return tuple(np.sort(np.concatenate(part)).astype(np.int64) for part in parts)
