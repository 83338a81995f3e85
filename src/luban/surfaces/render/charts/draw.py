"""From evidence to its drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.surfaces.render.charts.bars import draw_bars
from luban.surfaces.render.charts.heatmap import draw_heatmap
from luban.surfaces.render.charts.pictures import draw_pictures
from luban.surfaces.render.charts.plane import draw_histogram, draw_lines, draw_points
from luban.surfaces.render.charts.spans import draw_spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from luban.core.report import Evidence

_DRAWN: dict[str, Callable[[Evidence, str], Markup | None]] = {
    "line": draw_lines,
    "scatter": draw_points,
    "histogram": draw_histogram,
    "bar": draw_bars,
    "heatmap": draw_heatmap,
    "spans": draw_spans,
    "picture": draw_pictures,
}


def draw(evidence: Evidence, key: str) -> Markup | None:
    """Return evidence as an element of a page, an SVG one where it is a chart; None where there is nothing to draw.

    Parameters
    ----------
    key : str
        An identifier that no other drawing of the page has.
    """
    drawer = _DRAWN.get(evidence.drawing)
    if drawer is None or not evidence.rows:
        return None
    return drawer(evidence, key)
