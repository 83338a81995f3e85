"""With a short budget folds learn from a sample; with a longer one, or one in rounds, from all of their rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import search_learners

from luban.search import course
from luban.search.result import StudyResult

Run = Callable[..., StudyResult]


@pytest.mark.parametrize(
    ("timed", "short", "sampled"), [(True, 500.0, True), (True, 100.0, False), (False, 500.0, False)]
)
def test_a_short_budget_learns_from_a_sample(
    study: Run, monkeypatch: pytest.MonkeyPatch, timed: bool, short: float, sampled: bool
) -> None:
    """Of 280 seconds where up to 500 are short, and where up to 100 are."""
    seen: list[int] = []
    fit = search_learners.Ridge.fit

    def noting(self: Any, task: Any, schema: Any, training: Any, validation: Any, **options: Any) -> Any:
        if validation is not None:
            seen.append(training.table.num_rows)
        return fit(self, task, schema, training, validation, **options)

    monkeypatch.setattr(search_learners.Ridge, "fit", noting)
    monkeypatch.setattr(course, "_HURRY_ROWS", 0.2)
    monkeypatch.setattr(course, "_HURRY_SECONDS", short)
    given: dict[str, Any] = {"deadline": time.monotonic() + 280} if timed else {"rounds": 2}
    result = study(stop=lambda: len(seen) >= 3, **given)
    assert result.score > 0.8
    assert seen
    if sampled:
        assert max(seen) <= 60
    else:
        assert min(seen) > 300
