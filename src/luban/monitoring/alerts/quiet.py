"""Quiet hours: when nobody is told."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from luban.core.errors import InputError

_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})(?:\s+(\S+))?")


def hours(text: str) -> tuple[time, time, tzinfo]:
    """Return (from, until, zone) of ``22:00-07:00`` or ``22:00-07:00 Europe/Berlin``, or raise `InputError`."""
    found = _HOURS.fullmatch(text.strip())
    parts = found.groups() if found else ("", "", "", "", None)
    try:
        begin, end = time(int(parts[0]), int(parts[1])), time(int(parts[2]), int(parts[3]))
        zone: tzinfo = ZoneInfo(parts[4]) if parts[4] else UTC
    except (ValueError, ZoneInfoNotFoundError):
        raise InputError(
            "the quiet hours cannot be read",
            seen=repr(text)[:60],
            remedy="Write 22:00-07:00, and a zone: Europe/Berlin.",
        ) from None
    return begin, end, zone


def is_quiet(text: str | None, moment: datetime) -> bool:
    """Return whether a moment lies in quiet hours, which may go over midnight.

    Examples
    --------
    >>> is_quiet("22:00-07:00", datetime(2026, 1, 1, 23, 30, tzinfo=UTC))
    True
    """
    if text is None:
        return False
    begin, end, zone = hours(text)
    clock = moment.astimezone(zone).time()
    return begin <= clock < end if begin <= end else clock >= begin or clock < end
