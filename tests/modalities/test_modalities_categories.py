"""Categories: their codes, their means of the target, and very many of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.modalities.tabular import EncodingOptions, fit_encoding

SCHEMA = Schema(columns=(Column(name="c", kind="category"),))
REGRESSION = Task(kind="regression", target="y", inputs=("c",), metric="rmse")
KEEP = {"drop_useless": False}


def column(values: list[str | None]) -> pa.Table:
    return pa.table({"c": pa.array(values, pa.string())})


def test_codes_have_a_defined_outcome_for_every_value():
    """Frequent levels first, ties by the level; rare and unseen share a code; missing, null or empty, has its own."""
    table = column(["b"] * 3 + ["a"] * 3 + ["z"] * 4 + ["rare", None, ""])
    encoding, matrix = fit_encoding(table, SCHEMA, REGRESSION, np.zeros(13), EncodingOptions(), 0)
    assert encoding.categorical == (0,)
    assert encoding.cardinalities == (5,)
    assert matrix[:, 0].tolist() == [2] * 3 + [1] * 3 + [0] * 4 + [3, 4, 4]
    new = encoding.transform(column(["never seen", "rare", None, "", "z", "Z", "北京"]))
    assert new[:, 0].tolist() == [3, 3, 4, 4, 0, 3, 3]


def test_order_of_rows_does_not_change_codes():
    values = ["x", "y", "z", "x", "y", "z", "w", "w"]
    first, _ = fit_encoding(column(values), SCHEMA, REGRESSION, np.zeros(8), EncodingOptions(), 0)
    second, _ = fit_encoding(column(values[::-1]), SCHEMA, REGRESSION, np.zeros(8), EncodingOptions(), 0)
    assert first.vocabularies["c"].levels == second.vocabularies["c"].levels


def test_many_rows_and_few_rows_are_encoded_alike():
    """The two ways of looking levels up, by dictionary and one by one, agree; so do chunks."""
    random = np.random.default_rng(0)
    values = [None if i % 11 == 0 else "" if i % 13 == 0 else f"level {i}" for i in random.integers(0, 50, 2000)]
    encoding, _ = fit_encoding(column(values), SCHEMA, REGRESSION, np.zeros(2000), EncodingOptions(), 0)
    table = column([*values, "new"])
    chunked = pa.concat_tables([table.slice(0, 700), table.slice(700, 3), table.slice(703)])
    parts = [encoding.transform(table.slice(start, 100)) for start in range(0, 2001, 100)]
    assert np.array_equal(encoding.transform(table), np.concatenate(parts))
    assert np.array_equal(encoding.transform(table), encoding.transform(chunked))


@settings(max_examples=30, deadline=None)
@given(
    levels=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=12, max_size=60),
    place=st.integers(0, 11),
    value=st.floats(-100, 100),
)
def test_target_encoding_of_a_row_never_sees_its_own_target(levels, place, value):
    """Changing one row's target leaves that row's training feature as it is."""
    options = EncodingOptions(categories=("target",), min_count=1, drop_useless=False)
    target = np.linspace(-1, 1, len(levels))
    _, before = fit_encoding(column(levels), SCHEMA, REGRESSION, target, options, 3)
    changed = target.copy()
    changed[place] = value
    _, after = fit_encoding(column(levels), SCHEMA, REGRESSION, changed, options, 3)
    assert np.isclose(before[place, 0], after[place, 0], atol=1e-5)


def test_target_encoding_shrinks_to_the_mean_by_the_prior():
    options = EncodingOptions(categories=("target",), min_count=1, smoothing=10.0)
    target = np.array([1.0] * 30 + [0.0] * 70)
    table = column(["a"] * 30 + ["b"] * 70)
    encoding, _ = fit_encoding(table, SCHEMA, REGRESSION, target, options, 0)
    found = encoding.transform(column(["a", "b", "unseen", None]))[:, 0]
    assert np.allclose(found, [(30 + 3) / 40, 3 / 80, 0.3, 0.3])


def test_target_encoding_of_many_classes_has_a_column_for_each_but_the_first_up_to_a_cap():
    classes = tuple("abcdefgh")
    task = Task(kind="multiclass", target="y", inputs=("c",), metric="log_loss", classes=classes)
    target = np.arange(80) % 8
    table = column([f"l{i % 5}" for i in range(80)])
    for cap, width in ((10, 7), (3, 3)):
        options = EncodingOptions(categories=("target",), target_classes=cap)
        encoding, matrix = fit_encoding(table, SCHEMA, task, target, options, 0)
        assert matrix.shape == (80, width)
        assert all(sources == (0,) for sources in encoding.sources)


def test_one_hot_marks_kept_levels_and_missing_only():
    table = column(["a"] * 5 + ["b"] * 4 + ["c"] * 3 + [None] * 2)
    options = EncodingOptions(categories=("one_hot",), one_hot_levels=2)
    encoding, matrix = fit_encoding(table, SCHEMA, REGRESSION, np.zeros(14), options, 0)
    assert encoding.names == ("c=a", "c=b", "c=(missing)")
    assert matrix.sum(axis=0).tolist() == [5, 4, 2]
    assert encoding.transform(column(["c", "never"])).sum() == 0


@pytest.mark.parametrize("ways", [("codes",), ("target", "frequency"), ("one_hot",)])
def test_a_hundred_thousand_levels_in_bounded_memory(ways):
    """10^5 levels in 300,000 rows: the memory that Python takes stays below 30 times that of the codes."""
    random = np.random.default_rng(0)
    rows = 300_000
    table = column([f"user-{i}" for i in random.integers(0, 100_000, rows)])
    options = EncodingOptions(categories=ways, high_cardinality=ways)
    tracemalloc.start()
    encoding, matrix = fit_encoding(table, SCHEMA, REGRESSION, random.random(rows), options, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(encoding.vocabularies["c"].levels) > 70_000
    assert peak < 30 * 8 * rows + matrix.nbytes * 3
