"""Work that a thread does again and again: what fails of it is told, and ends none of the rest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from luban.core.errors import LubanError

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN = 3600.0
"""Seconds until a defect that is still there is told again."""

_KEPT = 100  # defects that are remembered at most


class Attempts:
    """Does the parts of a thread's work, one at a time: called as ``attempt(work)`` or ``attempt(work, subject)``.

    A `LubanError` is not told: the store is away, which the server tells, or what is worked on tells it itself; the
    next look tries again. Anything else is a defect of Luban, and told once, again after `AGAIN` seconds.

    Parameters
    ----------
    tell : callable
        Called as ``tell("defect", error=..., subject=..., **details)``, without a subject where there is none.
    **details : str
        What is told with each defect.

    Examples
    --------
    >>> attempt = Attempts(lambda event, **details: print(event, details))
    >>> attempt(lambda: print("done"))
    done
    >>> attempt(lambda: print(1 / 0), "weather")
    defect {'subject': 'weather', 'error': 'ZeroDivisionError: division by zero'}
    >>> attempt(lambda: print(1 / 0), "weather")
    """

    def __init__(self, tell: Callable[..., None], **details: str) -> None:
        self._tell = tell
        self._details = details
        self._told: dict[tuple[str, str], float] = {}

    def __call__(self, work: Callable[[], None], subject: str = "") -> None:
        """Do some of the work, which is about this subject."""
        try:
            work()
        except LubanError:
            return
        except Exception as error:  # noqa: BLE001 - a defect
            told = f"{type(error).__name__}: {error}"[:1000]
            now = time.monotonic()
            if now - self._told.get((subject, told), -AGAIN) < AGAIN:
                return
            self._told.pop((subject, told), None)
            self._told[subject, told] = now
            for oldest in list(self._told)[:-_KEPT]:
                self._told.pop(oldest, None)  # another thread of the server may have let go of it
            self._tell("defect", **self._details, **({"subject": subject} if subject else {}), error=told)
