"""How much a piece of work may cost, in time or in work units."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass

from luban.core.errors import InputError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d)")


class Duration(float):
    """Seconds, written as ``"90s"``, ``"5m"``, ``"1h30m"`` or a plain number of seconds.

    Examples
    --------
    >>> float(Duration.parse("1h30m"))
    5400.0
    >>> Duration(5400).text, Duration(172800).text
    ('90m', '2d')
    """

    @property
    def text(self) -> str:
        """The duration as `parse` reads it, in the largest unit of which it is a whole number."""
        for unit in ("d", "h", "m"):
            if self and self % _UNITS[unit] == 0:
                return f"{self / _UNITS[unit]:.0f}{unit}"
        return f"{float(self):g}s"

    @classmethod
    def parse(cls, text: str | float) -> Duration:
        """Return the duration that `text` means, or raise `InputError`."""
        remedy = "Write a duration such as 60s, 5m or 1h30m."
        if isinstance(text, int | float):
            seconds = float(text)
        else:
            plain = text.strip().lower()
            try:
                seconds = float(plain)
            except ValueError:
                parts = _PART.findall(plain)
                if not parts or _PART.sub("", plain).strip():
                    raise InputError("the duration cannot be read", seen=repr(text), remedy=remedy) from None
                seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        if not math.isfinite(seconds) or seconds <= 0:
            raise InputError("a duration must be positive and finite", seen=repr(text), remedy=remedy)
        return cls(seconds)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What one fit may use.

    Parameters
    ----------
    deadline : float
        Value of `time.monotonic` at which the fit must have returned with what it has.
    threads : int
        How many threads it may run.
    seed : int
        Seed of all its randomness.
    checkpoint : str, optional
        Folder of this fit alone: what it keeps there is found again when it is resumed after it was killed.
    cache : str, optional
        Folder shared by all fits of a workspace, for what is dear to compute and named by the digest of its content.
    rough : bool
        Whether the model may answer with less precise arithmetic until it is saved, as while a search judges it.
    """

    deadline: float = math.inf
    threads: int = 1
    seed: int = 0
    checkpoint: str | None = None
    cache: str | None = None
    rough: bool = False

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the deadline has come."""
        return time.monotonic() >= self.deadline
