"""Bars that lie, so that long labels can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.surfaces.render.charts import svg
from luban.surfaces.render.charts.values import extent, series, series_names, summary
from luban.surfaces.render.text import clean, shown, width

if TYPE_CHECKING:
    from markupsafe import Markup

    from luban.core.report import Evidence

_ROWS = 40
_THICK = 13.0
_THIN = 9.0
_GAP = 9.0
_BESIDE = 0.38  # share of the width that labels may take beside the bars; longer ones stand above them


def draw_bars(evidence: Evidence, key: str) -> Markup | None:
    """Return a group of bars a row, the value at the end of each; negative ones point left, in another colour."""
    rows = evidence.rows[:_ROWS]
    names = series_names(evidence)
    columns = [series(evidence, i + 1)[:_ROWS] for i in range(len(names))]
    reach = extent(columns)
    if reach is None:
        return None
    low, high = min(0.0, reach[0]), max(0.0, reach[1])
    signed = len(names) == 1 and low < 0
    thick = _THICK if len(names) == 1 else _THIN
    labels = [shown(row[0]) for row in rows]
    longest = max(width(one) for one in labels) * svg.SIZE
    above = longest > svg.WIDTH * _BESIDE
    room = 0.0 if above else longest + 8
    values = [shown(value) for column in columns for value in column if value is not None]
    ends = max(width(one) for one in values) * svg.SIZE + 8
    parts, top = _head(evidence, names)
    scale = svg.Scale(low, high, room + (ends if low < 0 else 0), svg.WIDTH - (ends if high > 0 else 4))
    y = top + 4
    for i, label in enumerate(labels):
        if above:
            parts.append(svg.words(0, y + svg.SIZE - 2, label, class_="tick label", room=svg.WIDTH))
            y += svg.SIZE + 4
        else:
            middle = y + thick * len(names) / 2
            parts.append(svg.words(room - 8, middle + 4, label, anchor="end", class_="tick label"))
        if above:
            parts.append(svg.line(scale(0.0), y - 2, scale(0.0), y + thick * len(names) + 2, "axis"))
        for j, column in enumerate(columns):
            value = column[i]
            if value is not None:
                class_ = ("s2" if value < 0 else "s1") if signed else svg.colour(j)
                parts += _bar(scale, value, y + j * thick, thick, class_, f"{label}, {names[j]}: {shown(value)}")
        y += thick * len(names) + _GAP
    if not above:
        parts.append(svg.line(scale(0.0), top, scale(0.0), y - _GAP + 4, "axis"))
    if len(evidence.rows) > len(rows):
        y += svg.SIZE
        parts.append(svg.words(0, y, f"and {len(evidence.rows) - len(rows)} more"))
    said = f"Bar chart of {len(rows)} rows, first {labels[0]}: {summary(names, columns)}."
    return svg.drawing(evidence, key, y + 2, said, *parts)


def _head(evidence: Evidence, names: list[str]) -> tuple[list[Markup], float]:
    """Return the title of the axis and the legend, and where the space below them begins."""
    parts: list[Markup] = []
    top = 4.0
    if evidence.y:
        parts.append(svg.words(0, svg.SIZE, clean(evidence.y), class_="axis-title", room=svg.WIDTH))
        top += svg.SIZE * 1.4
    if len(names) > 1:
        keys, top = svg.legend(names, [svg.colour(i) for i in range(len(names))], 0, top - 4)
        parts += keys
    return parts, top


def _bar(scale: svg.Scale, value: float, y: float, thick: float, class_: str, tooltip: str) -> list[Markup]:
    start, end = sorted((scale(0.0), scale(value)))
    number = (
        svg.words(end + 5, y + thick / 2 + 4, shown(value), class_="tick value")
        if value >= 0
        else svg.words(start - 5, y + thick / 2 + 4, shown(value), anchor="end", class_="tick value")
    )
    bar = svg.tag(
        "rect",
        svg.tag("title", tooltip),
        x=start,
        y=y + 0.5,
        width=max(0.8, end - start),
        height=thick - 1,
        rx=1.5,
        class_=f"bar {class_}",
    )
    return [bar, number]
