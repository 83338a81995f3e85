"""One budget is divided so that its parts never add up to more than the whole."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from luban.execution.deadline import Plan


@given(budget=st.floats(0.01, 1e6), finalise=st.none() | st.floats(0, 1e6))
def test_parts_stay_within_the_whole(budget: float, finalise: float | None) -> None:
    plan = Plan.of(budget, started=100.0, finalise=None if finalise is None else min(finalise, budget))
    assert plan.started <= plan.study_deadline <= plan.deadline
    assert math.isclose(plan.deadline - plan.started, budget, rel_tol=1e-9, abs_tol=1e-9)


def test_without_a_clock_nothing_is_ever_late() -> None:
    plan = Plan.of(None)
    assert not plan.timed
    assert plan.study_remaining() == plan.remaining == math.inf


def test_a_minute_keeps_some_seconds_for_the_end() -> None:
    assert 3 <= Plan.of(60).finalise <= 6
    assert Plan.of(3).finalise <= 0.4, "what is kept for the end of a short budget is lost to learning"
    kept = [Plan.of(tenths / 10).finalise for tenths in range(1, 1000)]
    assert kept == sorted(kept)
