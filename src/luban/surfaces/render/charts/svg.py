"""The few SVG elements that charts are made of; all text is escaped on its way in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from luban.surfaces.render.text import clean, fitted, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from luban.core.report import Evidence

WIDTH = 480.0
SIZE = 12.0
"""Font size, in units of the drawing; also the height of a line."""
COLOURS = 8


def colour(place: int) -> str:
    """Return the class that colours the series at this place, counted from 0."""
    return f"s{place % COLOURS + 1}"


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """Return an element; ``class_`` and ``stroke_width`` are written ``class`` and ``stroke-width``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(clean(_plain(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(child if isinstance(child, Markup) else escape(clean(str(child))) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - every part above is escaped


def _plain(value: Any) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Scale:
    """From values to places in the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self.start + (value - self.low) / (self.high - self.low or 1.0) * (self.end - self.start)


def drawing(evidence: Evidence, key: str, height: float, description: str, *children: Any) -> Markup:
    """Return the whole drawing, with a title and a description for those who hear it."""
    return tag(
        "svg",
        tag("title", evidence.title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-description"),
        *children,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_labelledby=f"{key}-title {key}-description",
        class_="chart",
    )


def words(
    x: float, y: float, text: str, *, anchor: str = "start", class_: str = "tick", room: float | None = None
) -> Markup:
    """Return a line of text, cut where it is wider than `room`; the whole of it is then its tooltip."""
    short = text if room is None else fitted(text, room / SIZE)
    whole = [] if short == text else [tag("title", text)]
    return tag("text", short, *whole, x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Return a line through points."""
    return tag("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), class_=class_)


def legend(names: Sequence[str], classes: Sequence[str], left: float, top: float) -> tuple[list[Markup], float]:
    """Return the legend, wrapped to the width of the drawing, and where the space below it begins."""
    parts: list[Markup] = []
    x, y = left, top + SIZE
    for name, class_ in zip(names, classes, strict=True):
        short = fitted(name, 16)
        wide = 20 + width(short) * SIZE + 16
        if x > left and x + wide > WIDTH:
            x, y = left, y + SIZE * 1.5
        parts.append(line(x, y - 4, x + 14, y - 4, f"key {class_}"))
        parts.append(words(x + 20, y, name, room=16 * SIZE))
        x += wide
    return parts, y + SIZE * 0.9


def axis_below(scale: Scale, y: float, top: float, places: Sequence[tuple[float, str]], title: str) -> list[Markup]:
    """Return tick labels under the plot, grid lines up to `top`, and the title of the axis."""
    parts = [line(scale(place), top, scale(place), y, "grid") for place, _ in places]
    gaps = [abs(scale(b) - scale(a)) for (a, _), (b, _) in pairwise(places)]
    room = min(gaps, default=scale.end - scale.start) - 6
    for place, text in places:
        anchor = _anchor(scale(place), fitted(text, max(24.0, room) / SIZE))
        within = max(24.0, room if anchor == "middle" else room * 0.55)
        parts.append(words(scale(place), y + SIZE * 1.4, text, anchor=anchor, room=within))
    middle = (scale.start + scale.end) / 2
    if title:
        parts.append(words(middle, y + SIZE * 3, title, anchor="middle", class_="axis-title", room=WIDTH * 0.9))
    return parts


def _anchor(x: float, text: str) -> str:
    half = width(text) * SIZE / 2
    return "end" if x + half > WIDTH else "start" if x - half < 0 else "middle"


def axis_left(scale: Scale, x: float, right: float, places: Sequence[tuple[float, str]]) -> list[Markup]:
    """Return tick labels left of the plot and grid lines to its right edge."""
    parts = [line(x, scale(place), right, scale(place), "grid") for place, _ in places]
    return parts + [words(x - 6, scale(place) + SIZE * 0.33, text, anchor="end") for place, text in places]
