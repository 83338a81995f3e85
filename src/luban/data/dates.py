"""Dates that are written as text: ISO 8601 and the common national forms."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.data.numbers import MISSING_WORDS, flat

NO_DATE = int(np.iinfo(np.int64).min)
"""Stands for a missing date among microseconds, as NumPy's "not a time" does."""

_EPOCH = datetime(1970, 1, 1)
# Where day and month cannot be told apart in any value, the day is taken to come first.
_DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y-%m", "%Y年%m月%d日",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f", " %H:%M:%S %z", " %H:%M %z")
FORMATS = ("", *("%Y-%m-%d" + clock for clock in _CLOCKS[3:]), *(day + clock for day, clock in product(_DAYS, _CLOCKS)))
"""Every form that is recognised, as `strptime` writes it; ``""`` is ISO 8601."""

_SHAPE = re.compile(r"(?=.{6,40}$)(?=.*\d).*[-/. 年:].*")
_ZONE = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_NUMBER = re.compile(r"[+-]?\d*[.,]?\d*(e[+-]?\d+)?", re.IGNORECASE)


def moment(value: date | datetime) -> int:
    """Return microseconds since 1970, in UTC where the value has a zone."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    elif value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    gap = value - _EPOCH
    return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds


@lru_cache(maxsize=65_536)
def parse_date(text: str, form: str = "") -> int | None:
    """Return microseconds since 1970 of the date that `text` writes.

    `NO_DATE` where it says "missing", None where it is no date of this form (ISO 8601 is always accepted).
    """
    plain = text.strip()
    if plain.lower() in MISSING_WORDS:
        return NO_DATE
    if form:
        try:
            return moment(datetime.strptime(plain, form))
        except ValueError:
            pass
    if plain.isdigit():
        return None
    try:
        return moment(datetime.fromisoformat(plain))
    except ValueError:
        return None


def to_dates(values: pa.Array | pa.ChunkedArray, form: str = "") -> tuple[pa.Array, np.ndarray]:
    """Return (dates, bad) of an array of strings: timestamp("us") without zone, and where there is no date.

    Parameters
    ----------
    values : pyarrow array of string, length n
    form : str
        As `detect_form` found it.

    Returns
    -------
    dates : pyarrow.Array, length n, timestamp("us")
        Null where missing or bad.
    bad : numpy.ndarray, shape (n,), bool
    """
    plain = flat(values).cast(pa.string())
    none_bad = np.zeros(len(plain), dtype=bool)
    try:
        if not form:
            zone = "UTC" if _ZONE.search(first_text(plain)) else None
            return plain.cast(pa.timestamp("us", zone)).cast(pa.timestamp("us")), none_bad
        if not re.search("%[fzpbB]", form):
            return pc.strptime(plain, format=form, unit="us"), none_bad
    except pa.ArrowInvalid:
        pass
    coded = plain.dictionary_encode()
    parsed = [parse_date(text, form) for text in coded.dictionary.to_pylist()]
    table = np.array([NO_DATE if one is None else one for one in [*parsed, NO_DATE]], dtype=np.int64)
    wrong = np.array([one is None for one in parsed] + [False])
    codes = coded.indices.fill_null(len(parsed)).to_numpy(zero_copy_only=False)
    found = table[codes]
    return pa.array(found, mask=found == NO_DATE).cast(pa.timestamp("us")), wrong[codes]


def detect_form(texts: list[str]) -> str | None:
    """Return the form under which all `texts` are dates or missing, or None."""
    present = [text for text in texts if text.strip().lower() not in MISSING_WORDS]
    if not present:
        return None
    if any(not _SHAPE.fullmatch(text.strip()) or _NUMBER.fullmatch(text.strip()) for text in present):
        return None
    for form in FORMATS:
        if all(_fits(text.strip(), form) for text in present):
            return form
    return None


def _fits(text: str, form: str) -> bool:
    try:
        if form:
            datetime.strptime(text, form)
        elif text.isdigit():
            return False
        else:
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def first_text(values: pa.Array) -> str:
    """Return the first value that is not null, or ``""``."""
    present = values.slice(0, 1000).drop_null()
    return str(present[0].as_py()) if len(present) else ""
