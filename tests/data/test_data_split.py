"""Splits and folds keep their laws for any table."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core.errors import InputError
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.data.split import folds, split

SCHEMA = Schema(columns=(Column(name="g", kind="category"), Column(name="t", kind="number")), group="g", time="t")
CLASSES = Task(kind="multiclass", target="y", inputs=("x",), metric="log_loss", classes=tuple(range(5)))
NUMBERS = Task(kind="regression", target="y", inputs=("x",), metric="rmse")


def table_of(groups, times):
    return pa.table({"g": pa.array(groups, pa.string()), "t": pa.array(times, pa.int64())})


ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 30)), min_size=4, max_size=80)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, how=st.sampled_from(["random", "stratified", "group", "time"]), seed=st.integers(0, 5))
def test_parts_are_disjoint_whole_and_reproducible(rows, how, seed):
    table = table_of([row[0] for row in rows], [row[1] for row in rows])
    by = "g" if how == "stratified" else None
    parts = split(table, SCHEMA, shares=(0.6, 0.3, 0.1), how=how, by=by, seed=seed)
    assert len(parts) == 3
    assert sorted(np.concatenate(parts)) == list(range(len(rows)))
    again = split(table, SCHEMA, shares=(0.6, 0.3, 0.1), how=how, by=by, seed=seed)
    assert all(np.array_equal(one, other) for one, other in zip(parts, again, strict=True))
    if how == "group":
        owners = [{rows[place][0] for place in part} for part in parts]
        assert sum(map(len, owners)) == len(set().union(*owners))
    if how == "time":
        ends = [[rows[place][1] for place in part] for part in parts if len(part)]
        assert all(max(one) < min(other) for one, other in pairwise(ends))


def test_shares_are_kept_and_the_mixture_too():
    table = table_of(["a"] * 900 + ["b"] * 100, range(1000))
    first, second = split(table, SCHEMA, how="stratified", by="g", seed=1)
    assert (len(first), len(second)) == (700, 300)
    assert (second >= 900).sum() == 30
    first, second = split(table, SCHEMA, how="time")
    assert list(first) == list(range(700))


def test_a_rare_value_is_in_every_part_where_it_can_be():
    table = table_of(["a"] * 98 + ["b"] * 2, range(100))
    parts = split(table, SCHEMA, how="stratified", by="g", seed=3)
    assert all((part >= 98).sum() == 1 for part in parts)


@pytest.mark.parametrize("shares", [(0.7,), (0.5, 0.6), (1.2, -0.2)])
def test_shares_of_nonsense(shares):
    with pytest.raises(InputError, match="sum to 1"):
        split(table_of(["a"], [1]), SCHEMA, shares=shares)


def test_a_split_that_lacks_its_column():
    with pytest.raises(InputError, match="by="):
        split(table_of(["a"], [1]), Schema(columns=SCHEMA.columns), how="group")


@settings(max_examples=60, deadline=None)
@given(target=st.lists(st.integers(0, 4), min_size=2, max_size=80), k=st.integers(2, 8), seed=st.integers(0, 3))
def test_folds_of_classes(target, k, seed):
    """Laws: disjoint, whole, even; a class with two rows is always among those learnt from."""
    codes = np.array(target)
    pairs = folds(CLASSES, codes, None, k, seed)
    assert sorted(np.concatenate([valid for _, valid in pairs])) == list(range(len(codes)))
    sizes = [len(valid) for _, valid in pairs]
    assert max(sizes) - min(sizes) <= 1
    for train, valid in pairs:
        assert not set(train) & set(valid)
        assert len(train) + len(valid) == len(codes)
        for value in np.flatnonzero(np.bincount(codes) >= 2):
            assert (codes[train] == value).any()
            share = (codes == value).sum() / len(pairs)
            assert abs((codes[valid] == value).sum() - share) < 1


@settings(max_examples=40, deadline=None)
@given(owners=st.lists(st.integers(0, 9), min_size=4, max_size=80), k=st.integers(2, 5))
def test_folds_keep_groups_together(owners, k):
    groups = np.array(owners)
    if len(set(owners)) < 2:
        with pytest.raises(InputError, match="one group"):
            folds(NUMBERS, groups.astype(float), groups, k, 0)
        return
    pairs = folds(NUMBERS, groups.astype(float), groups, k, 0)
    assert len(pairs) == min(k, len(set(owners)))
    for train, valid in pairs:
        assert len(valid)
        assert not set(groups[train]) & set(groups[valid])


def test_group_folds_are_stratified():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    target = (generator.random(60) < 0.3).astype(int)[groups]
    task = Task(kind="binary", target="y", inputs=("x",), metric="roc_auc", classes=(0, 1))
    shares = [target[valid].mean() for _, valid in folds(task, target, groups, 5, 0)]
    assert max(shares) - min(shares) < 0.1


def test_folds_of_numbers_cover_the_range():
    target = np.arange(100.0)
    for _, valid in folds(NUMBERS, target, None, 5, 0):
        assert np.histogram(target[valid], bins=10, range=(0, 100))[0].tolist() == [2] * 10


def test_folds_in_time_learn_from_the_past_only():
    moments = np.random.default_rng(0).permutation(100)
    pairs = folds(NUMBERS, moments.astype(float), None, 4, 0, moments=moments)
    assert len(pairs) == 4
    assert all(moments[train].max() < moments[valid].min() for train, valid in pairs)


def test_folds_differ_with_the_seed_only():
    target = np.arange(50.0)
    one, same, other = (folds(NUMBERS, target, None, 5, seed)[0][1] for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
