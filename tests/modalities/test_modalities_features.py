"""What is engineered tells something, what tells nothing is left out, and all of it is reproducible."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer

from luban.core.errors import InputError, LubanError
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.modalities.tabular import LINEAR, NETS, Encoding, EncodingOptions, fit_encoding


def numbers(**columns: np.ndarray) -> tuple[pa.Table, Schema, Task]:
    schema = Schema(columns=tuple(Column(name=name, kind="number") for name in columns))
    task = Task(kind="regression", target="y", inputs=schema.names, metric="rmse")
    return pa.table({name: pa.array(values, pa.float64()) for name, values in columns.items()}), schema, task


def test_the_ratio_that_makes_the_target_is_found():
    random = np.random.default_rng(0)
    a, b, c = random.uniform(1, 10, (3, 2000))
    table, schema, task = numbers(a=a, b=b, c=c)
    encoding, matrix = fit_encoding(table, schema, task, a / b, EncodingOptions(pairs=1), 0)
    name = encoding.names[-1]
    assert name in ("a / b", "b / a")
    assert abs(np.corrcoef(np.log(matrix[:, -1]), np.log(a / b))[0, 1]) > 0.999


def test_the_cross_that_makes_the_target_is_found():
    """Exclusive or: neither category tells anything alone, their cross tells all."""
    random = np.random.default_rng(0)
    left, right, noise = random.integers(0, 3, (3, 3000))
    schema = Schema(columns=tuple(Column(name=name, kind="category") for name in ("l", "r", "n")))
    table = pa.table({n: pa.array([f"v{i}" for i in v]) for n, v in zip("lrn", (left, right, noise), strict=True)})
    task = Task(kind="binary", target="y", inputs=schema.names, metric="roc_auc", classes=(0, 1))
    target = ((left + right) % 3 == 0).astype(np.int64)
    encoding, matrix = fit_encoding(table, schema, task, target, EncodingOptions(crosses=1), 0)
    assert set(encoding.sources[-1]) == {0, 1}
    assert np.corrcoef(matrix[:, -1], target)[0, 1] > 0.95


def test_constant_and_duplicate_columns_are_left_out():
    values = np.arange(50.0)
    table, schema, task = numbers(a=values, b=values, c=np.full(50, 7.0), d=np.full(50, np.nan), e=-values)
    encoding, _ = fit_encoding(table, schema, task, values, EncodingOptions(), 0)
    assert encoding.names == ("a", "e")
    kept, _ = fit_encoding(table, schema, task, values, EncodingOptions(drop_useless=False), 0)
    assert kept.names == ("a", "b", "c", "d", "e")


def test_a_table_without_information_still_has_a_feature():
    table, schema, task = numbers(a=np.full(5, 1.0))
    encoding, matrix = fit_encoding(table, schema, task, np.arange(5.0), EncodingOptions(), 0)
    assert matrix.shape == (5, 1)
    assert encoding.sources == ((0,),)


def test_rank_correlation_keeps_the_telling_features():
    random = np.random.default_rng(0)
    columns = {f"x{i}": random.normal(size=500) for i in range(40)}
    table, schema, task = numbers(**columns)
    target = columns["x7"] ** 3 + columns["x21"]
    encoding, matrix = fit_encoding(table, schema, task, target, EncodingOptions(top=2), 0)
    assert encoding.names == ("x7", "x21")
    assert np.array_equal(matrix, encoding.transform(table))


def test_missing_values_are_filled_and_marked_where_training_had_them():
    table, schema, task = numbers(a=np.array([1.0, np.nan, 3.0, 2.0]), b=np.array([1.0, 2.0, 3.0, 5.0]))
    encoding, matrix = fit_encoding(table, schema, task, np.zeros(4), EncodingOptions(numbers="imputed"), 0)
    assert encoding.names == ("a", "b", "missing[a]")
    assert matrix[1].tolist() == [2.0, 2.0, 1.0]
    new, _, _ = numbers(a=np.array([np.nan]), b=np.array([np.nan]))
    assert encoding.transform(new).tolist() == [[2.0, 2.0, 1.0]]


@pytest.mark.parametrize("options", [LINEAR, NETS, EncodingOptions(numbers="standard")])
def test_scaled_numbers_are_of_one_size_on_real_data(options):
    data, target = load_breast_cancer(return_X_y=True)
    table, schema, task = numbers(**{f"x{i}": column for i, column in enumerate(data.T)})
    _, matrix = fit_encoding(table, schema, task, target.astype(float), options, 0)
    assert np.abs(np.median(matrix, axis=0)).max() < 0.6
    assert ((matrix.std(axis=0) > 0.3) & (matrix.std(axis=0) < 1.6)).all()


def test_components_keep_most_of_the_variance_and_name_all_their_sources():
    data, target = load_breast_cancer(return_X_y=True)
    table, schema, task = numbers(**{f"x{i}": column for i, column in enumerate(data.T)})
    plain = EncodingOptions(numbers="standard")
    _, before = fit_encoding(table, schema, task, target.astype(float), plain, 0)
    few = EncodingOptions(numbers="standard", components=10)
    encoding, after = fit_encoding(table, schema, task, target.astype(float), few, 0)
    assert after.shape[1] == 10
    assert after.var(axis=0).sum() > 0.9 * before.var(axis=0).sum()
    assert encoding.sources[0] == tuple(range(30))


def test_a_seed_makes_one_encoding():
    """Equal seeds give equal bytes, engineered features and out-of-fold columns included."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 400))
    table, schema, task = numbers(a=a, b=b)
    table = table.append_column("c", pa.array([f"k{i}" for i in random.integers(0, 9, 400)]))
    schema = Schema(columns=(*schema.columns, Column(name="c", kind="category")))
    options = EncodingOptions(categories=("target",), pairs=3, group_ratios=2)
    runs = [fit_encoding(table, schema, task, a * b, options, 5) for _ in range(2)]
    assert runs[0][1].tobytes() == runs[1][1].tobytes()
    assert runs[0][0].save() == runs[1][0].save()
    other = fit_encoding(table, schema, task, a * b, options, 6)
    assert other[1].tobytes() != runs[0][1].tobytes()


def test_what_cannot_be_encoded_is_said():
    schema = Schema(columns=(Column(name="photo", kind="image"),))
    task = Task(kind="regression", target="y", inputs=("photo",), metric="rmse")
    with pytest.raises(InputError, match="photo"):
        fit_encoding(pa.table({"photo": ["a"]}), schema, task, np.zeros(1), EncodingOptions(), 0)
    table, schema, task = numbers(a=np.arange(5.0), b=np.arange(5.0)[::-1])
    encoding, _ = fit_encoding(table, schema, task, np.zeros(5), EncodingOptions(drop_useless=False), 0)
    with pytest.raises(InputError, match="'b'"):
        encoding.transform(table.select(["a"]))
    with pytest.raises(InputError, match="int64"):
        encoding.transform(pa.table({"a": pa.array([1]), "b": pa.array([1.0])}))
    with pytest.raises(InputError, match="numbers"):
        EncodingOptions(numbers="nonsense")


def test_any_damaged_byte_gives_an_error_for_users_or_a_working_encoding():
    """Bytes of the payloads are changed one at a time; whatever loads must transform without a crash."""
    random = np.random.default_rng(0)
    table, schema, task = numbers(a=random.normal(size=60), b=random.normal(size=60))
    table = table.append_column("c", pa.array([f"k{i}" for i in random.integers(0, 4, 60)]))
    schema = Schema(columns=(*schema.columns, Column(name="c", kind="category")))
    options = EncodingOptions(
        numbers="quantile", categories=("one_hot", "target", "frequency"), pairs=2, group_ratios=1, top=7
    )
    encoding, _ = fit_encoding(table, schema, task, random.normal(size=60), options, 0)
    payloads = encoding.save()
    refused = 0
    for name, data in payloads.items():
        end = len(data) if name.endswith("json") else int.from_bytes(data[:8], "little") + 8
        for place in random.integers(0, end, 250):
            changed = bytearray(data)
            changed[place] ^= int(random.integers(1, 256))
            try:
                loaded = Encoding.load({**payloads, name: bytes(changed)})
            except LubanError:
                refused += 1
                continue
            if loaded.inputs == encoding.inputs:  # else the name of a column was changed
                assert loaded.transform(table).shape == (60, len(loaded.names))
    assert refused > 200
