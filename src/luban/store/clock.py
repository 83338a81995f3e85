"""Moments, and run identifiers that sort by them."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_TIME_DIGITS, _RANDOM_DIGITS = 9, 7

_lock = threading.Lock()
_last = 0


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


def new_run_id() -> str:
    """Return 16 characters: the milliseconds since 1970, then 35 random bits.

    Within a process every identifier is greater than the one before; across processes they sort by
    millisecond, and two that fall into the same one differ but for a chance of 1 in 34 thousand million.
    """
    global _last  # noqa: PLW0603 - the one clock of this process
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000)
        moment = _last
    return _digits(moment, _TIME_DIGITS) + _digits(secrets.randbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS)


def run_id_of(moment: datetime, name: str) -> str:
    """Return the identifier of a run that began elsewhere: always the same for a moment and a name."""
    since = max(0, round(moment.timestamp() * 1000))
    return _digits(since, _TIME_DIGITS) + _digits(
        int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big"), _RANDOM_DIGITS
    )


def _digits(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(length)))
