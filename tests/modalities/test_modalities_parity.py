"""The ONNX graph of an encoding makes what its `transform` makes, whatever the rows hold."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.modalities.tabular import LINEAR, NETS, PLAIN_TREES, TREES, EncodingOptions, fit_encoding
from luban.testing.modality import check_encoding

SCHEMA = Schema(
    columns=(
        Column(name="a", kind="number"),
        Column(name="b", kind="number"),
        Column(name="城市", kind="category"),
        Column(name="grade", kind="category"),
        Column(name="member", kind="boolean"),
        Column(name="since", kind="date"),
        Column(name="评论", kind="text"),
    )
)
TASK = Task(kind="multiclass", target="y", inputs=SCHEMA.names, metric="log_loss", classes=("x", "y", "z"))
EVERYTHING = EncodingOptions(
    categories=("codes", "one_hot", "target", "frequency"),
    missing_count=True,
    pairs=6,
    crosses=2,
    group_ratios=3,
    cyclic_dates=True,
)
OPTIONS = {
    "trees": TREES,
    "plain trees": PLAIN_TREES,
    "linear": LINEAR,
    "nets": NETS,
    "everything": EVERYTHING,
    "standard": EncodingOptions(numbers="standard", missing_count=True, text="characters", pairs=4),
    "components": EncodingOptions(numbers="robust", components=4, categories=("target",)),
    "top": EncodingOptions(top=6, categories=("codes", "frequency"), pairs=3),
}

numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 3.4e38, -3.4e38, 1e-45, 1e300, 16777217.0]),
    st.integers(-5, 5).map(float),
)
levels = st.one_of(st.none(), st.sampled_from(["", "北京", "上海", "x", "X", "straße", "a b"]), st.text(max_size=4))
dates = st.one_of(st.none(), st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)))
words = st.lists(st.sampled_from(["good", "Bad", "价格", "很好", "不", "42", "naïve", "--", "\n", "ÉCOLE"]), max_size=8)
texts = st.one_of(st.none(), words.map(" ".join), st.text(max_size=12))
rows = st.tuples(numbers, numbers, levels, levels, st.sampled_from([None, "true", "false"]), dates, texts)


def table_of(some: list[tuple[object, ...]]) -> pa.Table:
    types = [pa.float64(), pa.float64(), pa.string(), pa.string(), pa.string(), pa.timestamp("us"), pa.string()]
    columns = [pa.array([row[i] for row in some], kind) for i, kind in enumerate(types)]
    return pa.table(columns, names=list(SCHEMA.names))


@pytest.mark.parametrize("name", OPTIONS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(training=st.lists(rows, min_size=3, max_size=30), new=st.lists(rows, min_size=1, max_size=12))
def test_graph_equals_transform(name, through_onnx, training, new):
    """To the bit: trees split at values that they saw, and the least difference sends a row the other way."""
    table, unseen = table_of(training), table_of(new)
    target = np.arange(len(training)) % 3
    encoding, _ = fit_encoding(table, SCHEMA, TASK, target, OPTIONS[name], 0)
    for part in (table, unseen):
        expected, found = encoding.transform(part), through_onnx(encoding, SCHEMA, part)
        assert found.shape == expected.shape
        assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    "options",
    [
        EncodingOptions(text="words"),
        pytest.param(EncodingOptions(text="characters", text_components=64), marks=pytest.mark.long),
        EncodingOptions(text="ignored", numbers="standard", components=30),
        EncodingOptions(text="ignored", numbers="imputed", components=30),
    ],
)
def test_sums_of_many_terms_are_exact(through_onnx, options):
    """Thousands of terms and tens of numbers, in one batch or row by row: the same bits, also far from training."""
    generator = np.random.default_rng(1)
    rows, width = 600, 40
    schema = Schema(
        columns=(Column(name="t", kind="text"), *(Column(name=f"n{i}", kind="number") for i in range(width)))
    )
    words = np.array([f"w{i}" for i in range(3000)])
    ranks = np.minimum(generator.zipf(1.2, (rows, 60)) - 1, len(words) - 1)
    texts = [" ".join(words[row[: generator.integers(0, 60)]]) for row in ranks]
    texts[0] = " ".join(["w0 w1"] * 3000)
    numbers = generator.normal(size=(rows, width)) @ generator.normal(size=(width, width)) * np.logspace(-3, 3, width)
    numbers[1] *= 1e6
    numbers[2] = 3.4e38
    table = pa.table({"t": texts, **{f"n{i}": numbers[:, i] for i in range(width)}})
    task = Task(kind="regression", target="y", inputs=schema.names, metric="rmse")
    encoding, _ = fit_encoding(table.slice(100), schema, task, numbers[100:, 0], options, 0)
    assert any("component" in one for one in encoding.names)
    expected = encoding.transform(table)
    assert np.array_equal(through_onnx(encoding, schema, table), expected)
    for row in range(30):
        assert np.array_equal(through_onnx(encoding, schema, table.slice(row, 1))[0], expected[row])


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=8, deadline=None)
@given(training=st.lists(rows, min_size=2, max_size=25), new=st.lists(rows, min_size=1, max_size=8))
def test_encoding_keeps_its_contract(name, training, new):
    """Shapes, codes in range, saved and loaded alike, damage refused: on any table."""
    target = np.arange(len(training)) % 3
    encoding, matrix = fit_encoding(table_of(training), SCHEMA, TASK, target, OPTIONS[name], 0)
    assert matrix.shape == (len(training), len(encoding.names))
    nothing = table_of([(None,) * len(SCHEMA.names)])
    check_encoding(encoding, table_of(training), [table_of(new), nothing])
