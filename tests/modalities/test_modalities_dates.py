"""Parts of dates are those of the calendar, for every date there is."""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.modalities.tabular import EncodingOptions, fit_encoding

SCHEMA = Schema(columns=(Column(name="d", kind="date"),))
TASK = Task(kind="regression", target="y", inputs=("d",), metric="rmse")
OPTIONS = EncodingOptions(cyclic_dates=True, drop_useless=False)

moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))


def encode(dates: list[datetime | None]) -> dict[str, np.ndarray]:
    table = pa.table({"d": pa.array(dates, pa.timestamp("us"))})
    encoding, matrix = fit_encoding(table, SCHEMA, TASK, np.zeros(len(dates)), OPTIONS, 0)
    return dict(zip(encoding.names, matrix.T, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(moments, min_size=1, max_size=30))
def test_parts_are_those_of_the_calendar(dates):
    parts = encode(list(dates))
    first = min(dates)
    for place, one in enumerate(dates):
        found = {name: values[place] for name, values in parts.items()}
        assert found["d.year"] == one.year
        assert found["d.month"] == one.month
        assert found["d.day"] == one.day
        assert found["d.weekday"] == one.weekday()
        assert found["d.hour"] == one.hour
        assert found["d.day_of_year"] == one.timetuple().tm_yday
        assert found["d.is_month_end"] == (calendar.monthrange(one.year, one.month)[1] == one.day)
        assert found["d.elapsed"] == np.float32((one - first) / timedelta(seconds=1))


def test_every_day_around_leap_years_and_centuries():
    """Month ends and days of the year of 1899-1904, 1999-2004 and 2096-2104, where leap years are skipped or not."""
    spans = [(1899, 1904), (1999, 2004), (2096, 2104)]
    dates = [
        datetime(first, 1, 1) + timedelta(days=i)
        for first, last in spans
        for i in range((datetime(last, 12, 31) - datetime(first, 1, 1)).days + 1)
    ]
    parts = encode(list(dates))
    assert parts["d.day_of_year"].tolist() == [one.timetuple().tm_yday for one in dates]
    assert parts["d.is_month_end"].tolist() == [float((one + timedelta(days=1)).day == 1) for one in dates]
    assert parts["d.weekday"].tolist() == [one.weekday() for one in dates]


def test_missing_dates_have_no_parts():
    parts = encode([datetime(2024, 2, 29, 5), None])
    assert all(np.isnan(values[1]) and not np.isnan(values[0]) for values in parts.values())


def test_cycles_close():
    """December is as near to January as January to February, and Sunday to Monday as Monday to Tuesday."""
    parts = encode([datetime(2024, 12, 1), datetime(2024, 1, 1), datetime(2024, 2, 1)])
    month = np.stack([parts["d.month_sin"], parts["d.month_cos"]], axis=1)
    assert np.isclose(np.linalg.norm(month[0] - month[1]), np.linalg.norm(month[1] - month[2]), atol=1e-6)
    parts = encode([datetime(2024, 1, 7), datetime(2024, 1, 8), datetime(2024, 1, 9)])
    day = np.stack([parts["d.weekday_sin"], parts["d.weekday_cos"]], axis=1)
    assert np.isclose(np.linalg.norm(day[0] - day[1]), np.linalg.norm(day[1] - day[2]), atol=1e-6)
