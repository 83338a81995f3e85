"""The kinds of columns, and the task, are found on real and made tables."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets

from luban.core.errors import InputError, LubanError, NotFound
from luban.data import infer, read
from luban.data.labels import order
from luban.data.target import encode_target, labelled_rows
from luban.data.task import infer_task

TASKS = {
    "abalone": "regression",
    "adult": "binary",
    "ag_news": "multiclass",
    "ai4i2020": "binary",
    "airline_tweets": "multiclass",
    "ames_housing": "regression",
    "bank_faq": "multiclass",
    "bank_marketing": "binary",
    "banking77": "multiclass",
    "bike_sharing": "regression",
    "chnsenticorp_htl": "binary",
    "cmapss_fd001": "regression",
    "covertype_sample": "multiclass",
    "credit_g": "binary",
    "diamonds": "regression",
    "fewclue_eprstmt": "binary",
    "financial_phrasebank": "multiclass",
    "heart_cleveland": "binary",
    "higgs_sample": "binary",
    "hr_jobs_change": "binary",
    "law_school_bar": "binary",
    "letter": "multiclass",
    "mammography": "binary",
    "melbourne_housing": "regression",
    "petfinder_mini": "multiclass",
    "phoneme": "binary",
    "sick_nli_sts": "multiclass",
    "sms_spam": "binary",
    "sst2": "binary",
    "telco_churn": "binary",
    "titanic": "binary",
    "wine_quality": "multiclass",
}
POSITIVE = {"adult": ">50K", "telco_churn": "Yes", "sms_spam": "spam", "bank_marketing": "yes", "mammography": "1"}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_real_tables_get_the_right_task(shared_data, name):
    folder = shared_data(name)
    target = re.search(r"target=`([^`]*)`", (folder / "README.md").read_text()).group(1)
    table = read.table(folder / "data.parquet")
    found = infer_task(table, infer.infer_schema(table), target)
    assert found.task.kind == TASKS[name]
    assert found.dropped == 0
    assert target not in found.task.inputs
    codes = encode_target(found.task, table[target])
    assert len(codes) == table.num_rows
    if found.task.classifies:
        assert set(np.unique(codes)) == set(range(len(found.task.classes)))
    if name in POSITIVE:
        assert found.task.classes[-1] == POSITIVE[name]


@pytest.mark.parametrize(
    "name", ["air_passengers", "elec2_stream", "houses_multimodal", "metr_la_week", "vic_electricity"]
)
def test_other_real_tables_import(shared_data, name):
    table = read.table(shared_data(name) / "data.parquet")
    assert infer.infer_schema(table).names == tuple(table.column_names)


@pytest.mark.parametrize(
    ("load", "kind"),
    [
        (datasets.load_breast_cancer, "binary"),
        (datasets.load_iris, "multiclass"),
        (datasets.load_wine, "multiclass"),
        (datasets.load_digits, "multiclass"),
        (datasets.load_diabetes, "regression"),
    ],
)
def test_packaged_tables_get_the_right_task(load, kind):
    table = read.table(load(as_frame=True).frame)
    assert infer_task(table, infer.infer_schema(table), "target").task.kind == kind


def schema_of(**columns):
    return infer.infer(pa.table(columns))


def kind_of(values):
    return schema_of(a=values).schema.columns[0]


def test_kinds_of_text():
    words = ["red", "green", "blue", None] * 10
    assert kind_of(words).kind == "category"
    assert kind_of(["true", "False", "TRUE", None]).kind == "boolean"
    assert kind_of(["yes", "no"] * 5).kind == "category"
    assert kind_of([f"this is the sentence number {n} of a text" for n in range(40)]).kind == "text"
    assert kind_of([f"{n}这是一个关于酒店的评论" for n in range(40)]).kind == "text"
    assert kind_of([f"2024-01-{n:02}" for n in range(1, 29)]).kind == "date"
    assert kind_of([[1, 2], [3]]).kind == "nested"


def test_numbers_in_text_keep_their_decimal_mark():
    column = kind_of(["1,5", "2,25", "1.000,5", "unknown"])
    assert (column.kind, column.storage) == ("number", "string ,")
    assert kind_of(["1.5", "2", "N/A", "?"]).storage == "string"
    assert kind_of(["1.5", "2", "many"] * 5).kind == "category"
    assert kind_of(["01067", "20095"] * 5).kind == "category"


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["3/12/2016", "25/02/2016"], "%d/%m/%Y"),
        (["1/25/2011", "2/3/2011"], "%m/%d/%Y"),
        (["31.01.2024", "01.02.2024"], "%d.%m.%Y"),
        (["2024-01-31 10:00", "2024-02-01 11:30"], ""),
        (["2011-12-31T13:00:00Z", "2012-01-01T00:00:00Z"], ""),
        (["1949-01", "1949-02"], "%Y-%m"),
        (["2024年1月31日", "2024年2月1日"], "%Y年%m月%d日"),
        (["31 Jan 2024", "1 Feb 2024"], "%d %b %Y"),
    ],
)
def test_forms_of_dates(texts, form):
    column = kind_of(texts)
    assert (column.kind, column.storage) == ("date", f"string {form}".strip())


def test_a_late_day_corrects_the_order_of_day_and_month():
    texts = ["01/02/2020"] * 3 + [f"0{m}/0{d}/2020" for m in range(1, 10) for d in range(1, 10)] + ["01/31/2020"]
    assert kind_of(texts).storage == "string %m/%d/%Y"


def test_version_numbers_and_codes_are_no_dates():
    for texts in (["1.2.3", "1.10.4"], ["A-1-2", "B-2-3"], ["1.5", "2.5"], ["12-34", "56-78"]):
        assert kind_of(texts * 5).kind in {"category", "number"}


def test_identifiers_are_set_aside():
    n = 50
    found = schema_of(
        customer=[f"C-{k}" for k in range(n)],
        row=list(range(1, n + 1)),
        user_id=[(k * 7919) % 100_003 for k in range(n)],
        year=list(range(1970, 1970 + n)),
        pay=[k * 13 % 101 for k in range(n)],
        empty=pa.nulls(n),
    )
    roles = {column.name: column.role for column in found.schema.columns}
    assert roles == {
        "customer": "ignored",
        "row": "ignored",
        "user_id": "input",
        "year": "input",
        "pay": "input",
        "empty": "ignored",
    }
    assert len(found.notes) == 4, "each of the three is named, and so is the one that only looks like an identifier"


def table_of(target, **more):
    n = len(target)
    return pa.table(
        {"x": [float(k % 7) for k in range(n)], "c": ["a", "b"] * (n // 2) + ["a"] * (n % 2), **more, "y": target}
    )


def task_of(target, **options):
    table = table_of(target)
    return infer_task(table, infer.infer_schema(table), "y", **options)


@pytest.mark.parametrize(
    ("target", "kind", "classes"),
    [
        ([True, False] * 10, "binary", (False, True)),
        (["yes", "no"] * 10, "binary", ("no", "yes")),
        (["abnormal", "normal"] * 10, "binary", ("normal", "abnormal")),
        ([1.0, 0.0] * 10, "binary", (0, 1)),
        (["1", "-1"] * 10, "binary", ("-1", "1")),
        ([3, 1, 2] * 10, "multiclass", (1, 2, 3)),
        ([1.0, 2.0, 3.0] * 10, "multiclass", (1, 2, 3)),
        (["c10", "c9", "c2"] * 10, "multiclass", ("c2", "c9", "c10")),
        ([float(k) / 3 for k in range(30)], "regression", ()),
        (list(range(30)), "regression", ()),
        ([str(k * 1.5) for k in range(30)], "regression", ()),
    ],
)
def test_kind_and_order_of_classes(target, kind, classes):
    found = task_of(target)
    assert (found.task.kind, found.task.classes) == (kind, classes)
    assert all(isinstance(note, str) and note for note in found.notes)


def test_overrides():
    numbers = [1, 2, 3] * 10
    assert task_of(numbers, kind="regression").task.metric == "rmse"
    assert task_of(numbers, kind="quantile").task.quantiles == (0.1, 0.5, 0.9)
    assert task_of(numbers, quantiles=[0.9, 0.2]).task.quantiles == (0.2, 0.9)
    with pytest.raises(NotFound, match="regression"):
        task_of(numbers, kind="regresion")
    with pytest.raises(InputError, match="between 0 and 1"):
        task_of(numbers, quantiles=[2])
    with pytest.raises(InputError, match="no number"):
        task_of(["a", "b", "c"] * 10, kind="regression")


def test_a_metric_implies_its_kind():
    assert task_of([1, 2, 3] * 10, metric="rmse").task.kind == "regression"
    assert task_of([1.5, 2.5, 3.25] * 10, metric="pinball").task.kind == "quantile"
    with pytest.raises(InputError, match="does not suit"):
        task_of(["a", "b", "c"] * 10, metric="rmse")


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (["a"] * 20, "one class"),
        ([None] * 20, "missing in every row"),
        ([1.5] * 20, "one value"),
        (["a", "b", "c"], "too few rows"),
        ([None] * 40 + ["a", "b", "c"], "too few rows"),
        (["a"] * 19 + ["b"], "more than one row"),
        ([f"label {k}" for k in range(20)], "too many different"),
        ([1.0, float("inf")] + [k / 3 for k in range(30)], "infinities"),
        ([{"a": 1}, {"a": 2}] * 10, "nested"),
    ],
)
def test_targets_that_cannot_be_learnt(target, word):
    table = table_of(pa.array(target))
    with pytest.raises(LubanError, match=word) as caught:
        infer_task(table, infer.infer_schema(table), "y")
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_missing_target_names_the_nearest():
    table = table_of(["a", "b"] * 10).rename_columns(["x", "c", "outcome"])
    with pytest.raises(NotFound, match="outcome"):
        infer_task(table, infer.infer_schema(table), "outcom")


def test_rows_without_target_and_lonely_classes_are_dropped_and_said():
    target = ["a", "b"] * 10 + [None, None] + ["once"] + [""]
    table = table_of(target)
    found = infer_task(table, infer.infer_schema(table), "y")
    assert found.task.classes == ("a", "b")
    assert found.dropped == 4
    assert found.learnable(table)["y"].to_pylist() == ["a", "b"] * 10
    text = " ".join(found.notes)
    assert "3 of 24 rows" in text
    assert "'once'" in text
    rows, codes = labelled_rows(found.task, table["y"])
    assert list(rows) == list(found.rows)
    assert list(codes) == [0, 1] * 10


def test_mostly_missing_target_is_said():
    target = [None] * 60 + ["a", "b"] * 10
    assert any(note.startswith("Most of the target is missing") for note in task_of(target).notes)


def test_inputs_that_cannot_be_learnt_name_the_column():
    table = table_of(["a", "b"] * 10, nested=[[1]] * 20)
    with pytest.raises(InputError, match="'nested'"):
        infer_task(table, infer.infer_schema(table), "y")
    schema = infer.infer_schema(table)
    assert "nested" not in infer_task(table, schema, "y", ignore=["nested"]).task.inputs
    table = table_of(["a", "b"] * 10, ratio=[1.0, float("-inf")] * 10)
    with pytest.raises(InputError, match=r"'ratio'.*row 2"):
        infer_task(table, infer.infer_schema(table), "y")


def test_two_thousand_columns_work_with_a_note():
    generator = np.random.default_rng(0)
    table = pa.table({f"f{k}": generator.normal(size=50) for k in range(2000)} | {"y": ["a", "b"] * 25})
    found = infer_task(table, infer.infer_schema(table), "y")
    assert len(found.task.inputs) == 2000
    assert any("2000 input columns" in note for note in found.notes)


def test_constant_columns_are_left_out():
    found = infer_task(t := table_of(["a", "b"] * 10, same=["s"] * 20), infer.infer_schema(t), "y")
    assert found.task.inputs == ("x", "c")
    assert any("same" in note for note in found.notes)


def test_labels_are_matched_whatever_their_storage():
    task = task_of([1, 0] * 10).task
    for spelt in ([1, 0], [1.0, 0.0], ["1", "0"], [True, False]):
        if spelt == [True, False]:
            continue
        assert list(encode_target(task, pa.array(spelt))) == [1, 0]
    boolean = task_of([True, False] * 10).task
    assert list(encode_target(boolean, pa.array(["TRUE", "false"]))) == [1, 0]
    with pytest.raises(InputError, match="row 2"):
        encode_target(task, pa.array([1, 7]))
    with pytest.raises(InputError, match="row 2"):
        encode_target(task, pa.array([1, None]))


def test_order_puts_what_is_looked_for_last():
    assert order(["true", "false"]) == ("false", "true")
    assert order([">50K", "<=50K"]) == ("<=50K", ">50K")
    assert order(["是", "否"]) == ("否", "是")
    assert order([10, 9, 2]) == (2, 9, 10)
