"""Whatever comes at predict time becomes the promised columns, or a clear error."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core.errors import InputError
from luban.core.schema import Column
from luban.data.conform import conform, conform_row
from luban.data.dates import NO_DATE
from luban.data.infer import infer_schema

COLUMNS = (
    Column(name="age", kind="number", storage="int64"),
    Column(name="job", kind="category", storage="string"),
    Column(name="member", kind="boolean", storage="bool"),
    Column(name="since", kind="date", storage="string %d/%m/%Y"),
    Column(name="note", kind="text", storage="string"),
)
ROW = {"age": 39, "job": "clerk", "member": True, "since": "3/12/2016", "note": "a b"}
MICROSECONDS = 1_480_723_200_000_000


def one(name, value, kind=None):
    columns = [column for column in COLUMNS if column.name == name]
    return conform({name: [value]}, columns).table[name][0].as_py()


def test_types_of_the_canonical_table():
    table = conform(ROW, COLUMNS).table
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "string", "timestamp[us]", "string"]
    assert table.to_pylist() == [
        {"age": 39.0, "job": "clerk", "member": "true", "since": datetime(2016, 12, 3), "note": "a b"}
    ]


def test_row_gives_the_same_values_as_the_table():
    assert conform_row(ROW, COLUMNS) == {
        "age": 39.0,
        "job": "clerk",
        "member": "true",
        "since": MICROSECONDS,
        "note": "a b",
    }


@pytest.mark.parametrize("make", [pd.DataFrame, lambda rows: rows, pa.Table.from_pylist])
def test_order_and_extra_columns_do_not_matter(make):
    rows = [dict(reversed({**ROW, "more": 1}.items()))] * 2
    found = conform(make(rows), COLUMNS)
    assert found.table.column_names == [column.name for column in COLUMNS]
    assert found.table.num_rows == 2
    assert any("more" in note for note in found.notes)


def test_missing_column_is_an_error_with_the_nearest_name_or_is_filled():
    row = {**ROW}
    row["agee"] = row.pop("age")
    with pytest.raises(InputError, match=r"'age' is missing.*agee"):
        conform(row, COLUMNS)
    with pytest.raises(InputError, match="'age' is missing"):
        conform_row(row, COLUMNS)
    found = conform(row, COLUMNS, missing="fill")
    assert found.table["age"].to_pylist() == [None]
    assert any("age" in note for note in found.notes)
    assert np.isnan(conform_row(row, COLUMNS, missing="fill")["age"])


@pytest.mark.parametrize(
    ("value", "number"),
    [("39", 39), (" 39.5 ", 39.5), ("1,5", 1.5), ("1,234.5", 1234.5), ("1.234,5", 1234.5), ("1e3", 1000),
     (True, 1), (np.int8(3), 3),
     ("", None), ("N/A", None), ("?", None), (None, None), (float("nan"), None)],
)  # fmt: skip
def test_numbers_in_any_spelling(value, number):
    assert one("age", value) == number
    row = conform_row({"age": value}, COLUMNS[:1])["age"]
    assert (None if np.isnan(row) else row) == number


@pytest.mark.parametrize("value", ["many", "12 years", "1_000", "1-2"])
def test_text_that_is_no_number_names_column_row_and_value(value):
    with pytest.raises(InputError, match=f"'age'.*{value!r} in row 2"):
        conform({"age": ["1", value]}, COLUMNS[:1])
    with pytest.raises(InputError, match=f"'age'.*{value!r}"):
        conform_row({"age": value}, COLUMNS[:1])


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), "inf"])
def test_infinities(value):
    with pytest.raises(InputError, match=r"infinities.*row 2"):
        conform({"age": [1, value] if isinstance(value, float) else ["1", value]}, COLUMNS[:1])
    with pytest.raises(InputError, match="infinite"):
        conform_row({"age": value}, COLUMNS[:1])
    found = conform({"age": [1.0, float(value)]}, COLUMNS[:1], infinities="missing")
    assert found.table["age"].to_pylist() == [1.0, None]
    assert found.notes


@pytest.mark.parametrize(
    "values", [[13.5, True], [True, 13.5], [1, False, None], [False, 1], ["12,5", True], [np.True_, 2]]
)
@pytest.mark.parametrize("form", ["rows", "columns", "frame"])
def test_truth_values_among_others_are_what_each_is_alone_in_every_order(form: str, values: list[Any]) -> None:
    """In a column of numbers 1 and 0, in any other their words: what stands before them does not matter."""
    columns = [Column(name=name, kind=name, storage=storage) for name, storage in KINDS_OF_VALUES.items()]
    rows = [dict.fromkeys(KINDS_OF_VALUES, one) for one in values]
    data: Any = rows
    if form != "rows":
        data = dict.fromkeys(KINDS_OF_VALUES, values)
        data = data if form == "columns" else pd.DataFrame({name: pd.Series(values, dtype=object) for name in data})
    alone = pa.concat_tables([conform(one, columns).table for one in rows])
    assert conform(data, columns).table.equals(alone)


KINDS_OF_VALUES = {"number": "string ,", "category": "string", "text": "string"}


@pytest.mark.parametrize("value", ["true", "TRUE", "Yes", "y", "1", 1, 1.0, "on", True, np.bool_(True), "是"])
def test_true_in_any_spelling(value):
    assert one("member", value) == "true"
    assert conform_row({"member": value}, COLUMNS[2:3])["member"] == "true"


@pytest.mark.parametrize("value", ["false", "No", "n", 0, 0.0, "off", False, "否"])
def test_false_in_any_spelling(value):
    assert one("member", value) == "false"
    assert conform_row({"member": value}, COLUMNS[2:3])["member"] == "false"


def test_no_boolean():
    with pytest.raises(InputError, match=r"'member'.*'maybe' in row 1"):
        one("member", "maybe")
    with pytest.raises(InputError, match="'member'"):
        conform_row({"member": 2}, COLUMNS[2:3])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("3/12/2016", datetime(2016, 12, 3)),
        ("2016-12-03", datetime(2016, 12, 3)),
        ("2016-12-03T10:30:00Z", datetime(2016, 12, 3, 10, 30)),
        (date(2016, 12, 3), datetime(2016, 12, 3)),
        (datetime(2016, 12, 3, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2016, 12, 3, 10)),
        ("", None),
        (None, None),
    ],
)
def test_dates(value, found):
    assert one("since", value) == found
    row = conform_row({"since": value}, COLUMNS[3:4])["since"]
    assert row == (NO_DATE if found is None else round((found - datetime(1970, 1, 1)) / timedelta(microseconds=1)))


def test_no_date():
    for value in ("soon", "31/31/2016", "12345"):
        with pytest.raises(InputError, match="'since'"):
            one("since", value)
        with pytest.raises(InputError, match="'since'"):
            conform_row({"since": value}, COLUMNS[3:4])
    with pytest.raises(InputError, match="changed its type"):
        one("since", 5)


@pytest.mark.parametrize(
    ("value", "level"), [(3, "3"), (3.0, "3"), ("3", "3"), (3.5, "3.5"), (True, "true"), ("", None), (None, None)]
)
def test_categories_have_one_spelling(value, level):
    assert one("job", value) == level
    assert conform_row({"job": value}, COLUMNS[1:2])["job"] == (level or "")


def test_integers_that_became_floats_for_lack_of_a_value_stay_the_same_levels():
    assert conform(pd.DataFrame({"job": [3, None, 4]}), COLUMNS[1:2]).table["job"].to_pylist() == ["3", None, "4"]


def test_nested_values_are_an_error():
    with pytest.raises(InputError, match="nested"):
        conform(pa.table({"job": [[1, 2]]}), COLUMNS[1:2])
    with pytest.raises(InputError, match="nested"):
        conform_row({"job": {"a": 1}}, COLUMNS[1:2])


def test_duplicate_columns_are_an_error():
    with pytest.raises(InputError, match="more than once"):
        conform(pd.DataFrame([[1, 2]], columns=["age", "age"]), COLUMNS[:1])


def test_categories_of_pandas():
    frame = pd.DataFrame({"job": pd.Categorical(["a", None, "b"])})
    assert conform(frame, COLUMNS[1:2]).table["job"].to_pylist() == ["a", None, "b"]


VALUES = {
    "number": st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-(2**53), 2**53), st.booleans()),
    "category": st.one_of(st.none(), st.text(max_size=8), st.integers(-(2**53), 2**53), st.booleans()),
    "boolean": st.one_of(st.none(), st.booleans(), st.sampled_from(["Yes", "no", " TRUE", "0", "n/a"])),
    "date": st.one_of(
        st.none(),
        st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
        st.dates(date(1700, 1, 1), date(2200, 1, 1)),
    ),
}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(VALUES)))
def test_a_row_and_a_table_of_one_row_agree(data, kind):
    """Law: both paths give the same value, so that serving equals training."""
    value = data.draw(VALUES[kind])
    columns = (Column(name="v", kind=kind),)
    from_row = conform_row({"v": value}, columns)["v"]
    from_table = conform([{"v": value}], columns).table["v"]
    if kind == "date":
        from_table = from_table.cast(pa.int64())
    table_value = from_table[0].as_py()
    if table_value is None:
        assert from_row in ("", NO_DATE) or np.isnan(from_row)
    else:
        assert from_row == table_value


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=20))
def test_conforming_twice_changes_nothing(values):
    table = pa.table(
        {"v": pa.array(values, pa.float64()), "w": pa.array([None if v is None else str(v) for v in values])}
    )
    columns = infer_schema(table).columns
    once = conform(table, columns).table
    assert conform(once, columns).table.equals(once)
