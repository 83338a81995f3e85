"""A table of numbers as shades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.surfaces.render.charts import svg
from luban.surfaces.render.charts.values import extent, series, series_names
from luban.surfaces.render.text import clean, shown, width

if TYPE_CHECKING:
    from markupsafe import Markup

    from luban.core.report import Evidence

_WRITTEN = 11  # from this many columns on the numbers are only tooltips


def draw_heatmap(evidence: Evidence, key: str) -> Markup | None:
    """Return a cell a value: counts are shaded by their share of the row, other numbers by their size and sign."""
    names = series_names(evidence)
    columns = [series(evidence, i + 1) for i in range(len(names))]
    reach = extent(columns)
    if reach is None or not names:
        return None
    counts = all(isinstance(value, int) for row in evidence.rows for value in row[1:])
    labels = [shown(row[0]) for row in evidence.rows]
    room = min(svg.WIDTH * 0.35, max(width(one) for one in labels) * svg.SIZE + 4)
    wide = (svg.WIDTH - room - 10) / len(names)
    high = min(46.0, max(16.0, wide * 0.62))
    turned = max(width(name) for name in names) * svg.SIZE > wide - 4
    above = min(90.0, max(width(name) for name in names) * svg.SIZE * 0.72 + 14) if turned else svg.SIZE * 1.6
    axes = "\u2003".join(f"{arrow} {clean(title)}" for arrow, title in (("↓", evidence.y), ("→", evidence.x)) if title)
    top = above + (svg.SIZE * 1.5 if axes else 0)
    parts: list[Markup] = []
    if axes:
        parts.append(svg.words(0, svg.SIZE, axes, class_="axis-title", room=svg.WIDTH))
    for j, name in enumerate(names):
        parts.append(_column_label(name, room + 8 + (j + 0.5) * wide, top - 6, wide, turned=turned))
    for i, label in enumerate(labels):
        y = top + i * high
        parts.append(svg.words(room, y + high / 2 + 4, label, anchor="end", class_="tick label", room=room))
        row = [column[i] for column in columns]
        largest = sum(value or 0.0 for value in row) if counts else max(abs(reach[0]), abs(reach[1]))
        for j, value in enumerate(row):
            if value is not None:
                share = abs(value) / largest if largest else 0.0
                words = shown(evidence.rows[i][j + 1])
                parts += _cell(room + 8 + j * wide, y, wide, high, share, f"{label}, {names[j]}: {words}", value < 0)
                if len(names) < _WRITTEN and width(words) * svg.SIZE < wide:
                    class_ = "tick value on-dark" if share > 0.55 else "tick value"
                    middle = room + 8 + (j + 0.5) * wide
                    parts.append(svg.words(middle, y + high / 2 + 4, words, anchor="middle", class_=class_))
    said = (
        f"Heat map of {len(labels)} rows and {len(names)} columns, values from {shown(reach[0])} to {shown(reach[1])}."
    )
    return svg.drawing(evidence, key, top + len(labels) * high + 4, said, *parts)


def _column_label(name: str, x: float, y: float, wide: float, *, turned: bool) -> Markup:
    if not turned:
        return svg.words(x, y, name, anchor="middle", class_="tick label")
    text = svg.words(0, 0, name, class_="tick label", room=100)
    return svg.tag("g", text, transform=f"translate({x - min(4.0, wide / 4):.1f} {y:.1f}) rotate(-40)")


def _cell(x: float, y: float, wide: float, high: float, share: float, tooltip: str, negative: bool) -> list[Markup]:
    return [
        svg.tag(
            "rect",
            svg.tag("title", tooltip),
            x=x + 0.75,
            y=y + 0.75,
            width=wide - 1.5,
            height=high - 1.5,
            rx=2,
            fill_opacity=f"{0.04 + 0.9 * min(1.0, share):.3f}",
            class_=f"cell {'s2' if negative else 's1'}",
        )
    ]
