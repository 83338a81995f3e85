"""Work that a thread does again and again: what fails of it is told as often as a person wants to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict
from luban.execution import attempts
from luban.execution.attempts import Attempts

if TYPE_CHECKING:
    import pytest


def failing(error: Exception) -> Any:
    def work() -> None:
        raise error

    return work


def test_a_defect_is_told_once_a_subject_and_what_the_store_says_is_not() -> None:
    """Another defect, or the same in another subject, is news; what a user can cause is told by others."""
    told: list[dict[str, Any]] = []
    attempt = Attempts(lambda event, **details: told.append({"event": event, **details}), work="tests")
    for _ in range(3):
        attempt(failing(ZeroDivisionError("first")), "weather")
    attempt(failing(ZeroDivisionError("first")), "shop")
    attempt(failing(KeyError("second")), "weather")
    attempt(failing(Conflict("somebody was quicker")))
    attempt(failing(OSError("no subject")))
    assert told == [
        {"event": "defect", "work": "tests", "subject": "weather", "error": "ZeroDivisionError: first"},
        {"event": "defect", "work": "tests", "subject": "shop", "error": "ZeroDivisionError: first"},
        {"event": "defect", "work": "tests", "subject": "weather", "error": "KeyError: 'second'"},
        {"event": "defect", "work": "tests", "error": "OSError: no subject"},
    ]


def test_a_defect_that_is_still_there_is_told_again_when_its_time_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    attempt = Attempts(lambda _event, **details: told.append(details["error"]))
    for wait in (3600.0, 3600.0, 0.0, 3600.0):
        monkeypatch.setattr(attempts, "AGAIN", wait)
        attempt(failing(ZeroDivisionError("a defect")))
    assert told == ["ZeroDivisionError: a defect"] * 2


def test_defects_that_all_read_differently_fill_no_memory() -> None:
    """The oldest are forgotten, and would be told again; the newest are not."""
    told: list[str] = []
    attempt = Attempts(lambda _event, **details: told.append(details["error"]))
    for number in [*range(1000), 999, 0]:
        attempt(failing(ValueError(str(number))))
    assert told[-2:] == ["ValueError: 999", "ValueError: 0"]
    assert len(told) == 1001
    assert len(attempt._told) == 100
