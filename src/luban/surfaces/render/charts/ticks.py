"""Where the ticks of an axis stand, and what they say."""

from __future__ import annotations

import math


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round numbers from `low` to `high` or a little inside, about `wanted` of them (Heckbert 1990)."""
    if high <= low:
        return [low]
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda one: abs(one * power - rough))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [one * step for one in range(first, last + 1)]


def rounded(low: float, high: float, wanted: int = 5) -> tuple[float, float]:
    """Return the range widened to the next ticks; a range of no width is opened around its value."""
    if high - low <= 1e-12 * max(abs(low), abs(high)):  # narrower than steps that floats can tell apart
        reach = abs(low) * 0.1 or 1.0
        low, high = low - reach, high + reach
    places = ticks(low, high, wanted)
    step = places[1] - places[0] if len(places) > 1 else high - low
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def labels(places: list[float]) -> list[str]:
    """Return the texts of ticks, all with as many digits as the step between them needs."""
    if not places:
        return []
    largest = max(abs(one) for one in places)
    step = places[1] - places[0] if len(places) > 1 else largest or 1.0
    for limit, unit, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if largest >= limit:
            return [_fixed(one / unit, step / unit) + (letter if one else "") for one in places]
    if 0 < largest < 1e-4:
        digits = max(0, math.ceil(math.log10(largest / abs(step)) - 1e-9))
        return [f"{one:.{digits}e}".replace("-", "−") if one else "0" for one in places]
    return [_fixed(one, step) for one in places]


def _fixed(value: float, step: float) -> str:
    digits = max(0, -math.floor(math.log10(abs(step)) + 1e-9)) if step else 0
    text = f"{value:,.{digits}f}"
    return "0" if float(text.replace(",", "")) == 0 else text.replace("-", "−")
