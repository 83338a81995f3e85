"""Frames of every make go through all verbs, however they store text: few of Arrow's kernels take views of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

from luban.core.budget import Duration
from luban.data import conform, infer
from luban.data.task import infer_task
from luban.operations.evaluate import evaluate
from luban.operations.explain import explain
from luban.operations.fit import fit
from luban.operations.predict import predict
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {
    "a": [i % 7 for i in range(80)],
    "town": ["Köln", "北京"] * 40,
    "y": ["yes" if i % 7 > 3 else "no" for i in range(80)],
}
TABLE = pa.table(COLUMNS)
TEXTS: dict[str, Any] = {
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
    "large_dictionary": pa.dictionary(pa.int32(), pa.large_string()),
}


def stored_as(kind: pa.DataType) -> pa.Table:
    return pa.table(
        {
            name: TABLE[name].cast(kind) if pa.types.is_string(TABLE[name].type) else TABLE[name]
            for name in TABLE.column_names
        }
    )


@pytest.mark.parametrize("kind", TEXTS.values(), ids=TEXTS)
def test_the_storage_of_text_changes_nothing(kind: pa.DataType) -> None:
    """Also where an Arrow table comes in without a source between."""
    table = stored_as(kind)
    schema = infer.infer_schema(table)
    assert infer_task(table, schema, "y").task.classes == ("no", "yes")
    columns = schema.select(("a", "town")).columns
    assert conform.conform(table, columns).table.equals(conform.conform(TABLE, columns).table)


@pytest.mark.parametrize(
    "data",
    [
        pl.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS, schema_overrides={"y": pl.Categorical, "town": pl.Enum(["Köln", "北京"])}),
        stored_as(pa.large_string()),
    ],
    ids=["polars", "polars_categories", "large_string"],
)
def test_every_verb_takes_the_frame(tmp_path: Path, data: Any) -> None:
    with Workspace.open(tmp_path / ".luban") as workspace:
        made = fit(workspace, data, target="y", rounds=1, learners=("linear",), name="small")
        assert evaluate(workspace, made.model, data).rows == 80
        assert explain(workspace, made.model, data, budget=Duration(2)).rows == 80
        assert predict(workspace, made.model, data).rows == 80
        assert made.dataset == "small/1"
        again = fit(workspace, TABLE, target="y", rounds=1, learners=("linear",), name="small")
        assert again.dataset == "small/1", "the same rows are the same version"
