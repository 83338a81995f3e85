"""Durations are read as people write them, and nonsense is refused with the way to write it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luban.core.budget import Duration, Effort
from luban.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), (" 2 min ", 120), ("90", 90), (7, 7), ("1d", 86400)],
)
def test_duration_reads_what_people_write(text: str | float, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0", "5 parsecs", "nan", "inf", "s", "1h-3m", "5m3"])
def test_nonsense_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="60s, 5m or 1h30m"):
        Duration.parse(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert Duration.parse(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


def test_effort_expires_at_its_deadline() -> None:
    assert Effort().remaining == float("inf")
    past = Effort(deadline=time.monotonic() - 1)
    assert past.expired
    assert past.remaining == 0
