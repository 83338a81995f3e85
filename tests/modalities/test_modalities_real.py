"""Real tables: the graph makes what transform makes, row by row and in bulk."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luban.core.schema import Schema
from luban.core.task import Task
from luban.data.conform import conform
from luban.data.infer import infer_schema
from luban.modalities.tabular import LINEAR, NETS, PLAIN_TREES, TREES, EncodingOptions, fit_encoding
from luban.testing.modality import check_encoding

FULL = EncodingOptions(
    categories=("codes", "target", "frequency"), missing_count=True, pairs=10, crosses=3, group_ratios=5
)
SETS = {"adult": "class", "titanic": "Survived", "credit_g": "credit_risk", "diamonds": "price", "telco_churn": "Churn"}


@pytest.mark.long
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "options", [TREES, LINEAR, NETS, PLAIN_TREES, FULL], ids=["trees", "linear", "nets", "plain", "full"]
)
def test_graph_equals_transform_on_real_data(shared_data, through_onnx, name, options):
    table = pq.read_table(shared_data(name) / "data.parquet").slice(0, 4000)
    target = SETS[name]
    schema = infer_schema(table.drop_columns([target]))
    schema = Schema(columns=schema.inputs)
    canonical = conform(table, schema.columns).table
    levels, codes = np.unique(np.array(table[target].cast(pa.string()).to_pylist(), dtype=str), return_inverse=True)
    task = Task(
        kind="multiclass", target=target, inputs=schema.names, metric="log_loss", classes=tuple(levels.tolist())
    )
    if len(levels) > 20:
        task = Task(kind="regression", target=target, inputs=schema.names, metric="rmse")
    train, test = canonical.slice(0, 3000), canonical.slice(3000)
    test = test if test.num_rows else canonical.slice(0, 200)
    train_target = codes[: train.num_rows] if task.classifies else np.asarray(table[target], dtype=float)[:3000]
    encoding, _ = fit_encoding(train, schema, task, train_target, options, 0)
    check_encoding(encoding, train, [test])
    expected, found = encoding.transform(test), through_onnx(encoding, schema, test)
    summed = np.array([".component_" in one for one in encoding.names])
    assert np.array_equal(found[:, ~summed], expected[:, ~summed], equal_nan=True)
    assert np.allclose(found[:, summed], expected[:, summed], rtol=1e-5, atol=2e-6)
