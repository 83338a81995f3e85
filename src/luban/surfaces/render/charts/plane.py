"""Charts over two axes of numbers: lines, points and histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.surfaces.render.charts import svg
from luban.surfaces.render.charts.ticks import labels, rounded, ticks
from luban.surfaces.render.charts.values import across, extent, series, series_names, summary
from luban.surfaces.render.text import clean, shown, width

if TYPE_CHECKING:
    from markupsafe import Markup

    from luban.core.report import Evidence
    from luban.surfaces.render.charts.svg import Scale
    from luban.surfaces.render.charts.values import Across

HEIGHT = 300.0
_MARKED = 25
_WHOLE = 0.02  # by which rounded shares of a whole may miss 1


def draw_lines(evidence: Evidence, key: str) -> Markup | None:
    """Return a line a series; one that equals x is the diagonal to compare with, and is dashed."""
    along = across(evidence)
    names = series_names(evidence)
    columns = [series(evidence, i + 1) for i in range(len(names))]
    reach = extent(columns)
    if reach is None or not along.places:
        return None
    crowded = len(names) > svg.COLOURS
    classes, colour = [], 0
    for column in columns:
        diagonal = along.names is None and [column[row] for row in along.rows] == along.places
        if not diagonal:
            colour += 1
        classes.append("reference" if diagonal else "faint" if crowded and colour > 1 else svg.colour(colour - 1))
    x, y, frame = _frame(evidence, along, reach, [] if crowded or len(names) == 1 else names, classes)
    drawn: list[Markup] = []
    for column, class_, name in reversed(list(zip(columns, classes, names, strict=True))):
        pieces = _pieces(along, column)
        drawn += [svg.path([(x(a), y(b)) for a, b in piece], f"line {class_}") for piece in pieces]
        points = [(a, column[row]) for a, row in zip(along.places, along.rows, strict=True)]
        if class_.startswith("s") and len(points) <= _MARKED:
            drawn += [_dot(x(a), y(b), class_, f"{name}: {shown(b)} at {shown(a)}") for a, b in points if b is not None]
    said = f"Line chart over {clean(evidence.x or evidence.columns[0])}: {summary(names, columns)}."
    return svg.drawing(evidence, key, HEIGHT, said, *frame, *drawn)


def _dot(x: float, y: float, class_: str, tooltip: str) -> Markup:
    return svg.tag("circle", svg.tag("title", tooltip), cx=x, cy=y, r=2.6, class_=f"dot {class_}")


def _pieces(along: Across, column: list[float | None]) -> list[list[tuple[float, float]]]:
    """Return the stretches of a series between its gaps."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for place, row in zip(along.places, along.rows, strict=True):
        value = column[row]
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((place, value))
    return [piece for piece in pieces if piece]


def draw_points(evidence: Evidence, key: str) -> Markup | None:
    """Return points, one colour a series."""
    along = across(evidence)
    names = series_names(evidence)
    columns = [series(evidence, i + 1) for i in range(len(names))]
    reach = extent(columns)
    if reach is None or not along.places:
        return None
    classes = [svg.colour(i) for i in range(len(names))]
    x, y, frame = _frame(evidence, along, reach, names if len(names) > 1 else [], classes)
    drawn = []
    for column, class_ in zip(columns, classes, strict=True):
        places = zip(along.places, along.rows, strict=True)
        dots = "".join(f"M{x(a):.1f} {y(v):.1f}h0" for a, row in places if (v := column[row]) is not None)
        drawn.append(svg.tag("path", d=dots, class_=f"points {class_}"))
    said = f"{len(along.places)} points over {clean(evidence.x or evidence.columns[0])}: {summary(names, columns)}."
    return svg.drawing(evidence, key, HEIGHT, said, *frame, *drawn)


def draw_histogram(evidence: Evidence, key: str) -> Markup | None:
    """Return bars over their bins: counts upon each other, shares of wholes of their own side by side."""
    lows, highs = series(evidence, 0), series(evidence, 1)
    names = series_names(evidence, 2)
    columns = [series(evidence, i + 2) for i in range(len(names))]
    edges = [(a, b) for a, b in zip(lows, highs, strict=True) if a is not None and b is not None]
    if not edges or not names:
        return None
    apart = len(columns) > 1 and all(abs(sum(one or 0.0 for one in column) - 1) < _WHOLE for column in columns)
    together = max if apart else sum
    totals = [together(column[i] or 0.0 for column in columns) for i in range(len(lows))]
    along = across(evidence)
    along = type(along)([edges[0][0], edges[-1][1]], [0, 0], None)
    classes = [svg.colour(i) for i in range(len(names))]
    x, y, frame = _frame(evidence, along, (0.0, max(totals)), names if len(names) > 1 else [], classes)
    drawn = []
    for i, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if low is None or high is None:
            continue
        below = 0.0
        step = (x(high) - x(low)) / len(columns) if apart else 0.0
        room = step if apart else x(high) - x(low)
        for place, (column, class_, name) in enumerate(zip(columns, classes, names, strict=True)):
            count = column[i] or 0.0
            if count <= 0:
                continue
            drawn.append(
                svg.tag(
                    "rect",
                    svg.tag("title", f"{name}: {shown(count)} from {shown(low)} to {shown(high)}"),
                    x=x(low) + place * step + 0.5,
                    y=y(below + count),
                    width=max(0.5, room - 1),
                    height=max(0.0, y(below) - y(below + count)),
                    class_=f"bar {class_}",
                )
            )
            below += 0.0 if apart else count
    said = f"Histogram over {clean(evidence.x or evidence.columns[0])}: {summary(names, columns)}."
    return svg.drawing(evidence, key, HEIGHT, said, *frame, *drawn)


def _frame(
    evidence: Evidence, along: Across, reach: tuple[float, float], names: list[str], classes: list[str]
) -> tuple[Scale, Scale, list[Markup]]:
    """Return both scales, and axes, titles and legend."""
    low, high = rounded(*reach)
    marks = ticks(low, high)
    texts = labels(marks)
    left = 12 + max(width(text) for text in texts) * svg.SIZE
    bottom = HEIGHT - svg.SIZE * (3.6 if evidence.x else 2)
    top = svg.SIZE * 1.2
    parts: list[Markup] = []
    if evidence.y:
        parts.append(svg.words(0, svg.SIZE, evidence_title(evidence.y), class_="axis-title", room=svg.WIDTH))
        top += svg.SIZE
    if names:
        keys, top = svg.legend(names, classes[: len(names)], 0, svg.SIZE * 1.4 if evidence.y else 0)
        parts += keys
        top += 4
    first, last = min(along.places), max(along.places)
    if first == last:
        first, last = rounded(first, last)
    x = svg.Scale(first, last, left, svg.WIDTH - 10)
    y = svg.Scale(low, high, bottom, top)
    parts += svg.axis_left(y, left, svg.WIDTH - 10, list(zip(marks, texts, strict=True)))
    parts += svg.axis_below(x, bottom, bottom, along.marks(first, last, (x.end - left) / svg.SIZE), clean(evidence.x))
    parts.append(svg.line(left, y(max(low, min(0.0, high))), svg.WIDTH - 10, y(max(low, min(0.0, high))), "axis"))
    return x, y, parts


def evidence_title(text: str) -> str:
    """Return the title of the upright axis, as it stands above it."""
    return f"↑ {clean(text)}"
