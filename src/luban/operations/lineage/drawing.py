"""A lineage as a drawing: boxes from left to right, in SVG that reads by day and by night."""

from __future__ import annotations

import unicodedata
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from luban.operations.lineage.layout import HEIGHT, WIDTH, Layout, layout
from luban.operations.lineage.lines import words

if TYPE_CHECKING:
    from luban.core.lineage import Edge, Lineage, Node

MARGIN = 28.0
BELOW = 30.0  # for each way that leads back

_STYLE = """
:root { --paper: #fbfaf7; --card: #fff; --ink: #1d2329; --soft: #59636e; --rule: #8a949e;
  --data: #24639c; --run: #6b7480; --model: #c8602a; --deployment: #2f8365; --labels: #8f4a86; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --card: #1b2026; --ink: #e6e4de; --soft: #9aa5b0;
  --rule: #6f7a85; --data: #6fb0e6; --run: #a3adb8; --model: #ee9160; --deployment: #66c29d; --labels: #cf91c6; } }
svg { background: var(--paper); font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "PingFang SC", "Noto Sans CJK SC", sans-serif; }
.box { fill: var(--card); stroke-width: 1; } .subject { stroke-width: 2.5; } .gone { stroke-dasharray: 4 3; }
.bar { stroke: none; }
.data { stroke: var(--data); } .run { stroke: var(--run); } .model { stroke: var(--model); }
.deployment { stroke: var(--deployment); } .labels { stroke: var(--labels); }
.bar.data, text.data { fill: var(--data); stroke: none; } .bar.run, text.run { fill: var(--run); stroke: none; }
.bar.model, text.model { fill: var(--model); stroke: none; }
.bar.labels, text.labels { fill: var(--labels); stroke: none; }
.bar.deployment, text.deployment { fill: var(--deployment); stroke: none; }
.kind { font-size: 10.5px; font-weight: 600; letter-spacing: .06em; }
.name { font-size: 14px; font-weight: 600; fill: var(--ink); } .detail { font-size: 11.5px; fill: var(--soft); }
.way { fill: none; stroke: var(--rule); stroke-width: 1.4; } .past { stroke-dasharray: 5 4; }
.what { font-size: 11px; fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 5px;
  stroke-linejoin: round; }
.tip { fill: var(--rule); }
"""

_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path class="tip" d="M0 .8 7.2 4 0 7.2z"/></marker></defs>'
)


def drawing(lineage: Lineage) -> str:
    """Return the drawing."""
    placed = layout(lineage)
    width = placed.width + 2 * MARGIN
    height = placed.height + 2 * MARGIN + BELOW * len(placed.back) + (BELOW / 2 if placed.back else 0)
    subject = lineage.node(lineage.subject)
    told = f"What {subject.kind} {subject.name} came from, and what came of it"
    ways = [_way(edge, points) for edge, points in placed.ways]
    ways += [_way_back(edge, placed, number) for number, edge in enumerate(placed.back)]
    boxes = [_box(node, placed.boxes[node.id], subject=node.id == lineage.subject) for node in lineage.nodes]
    labels = [_label(edge, points) for edge, points in placed.ways]
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
            f'<title id="title">{_plain(told)}</title>',
            f"<style>{_STYLE}</style>",
            _TIP,
            f'<g transform="translate({MARGIN:g} {MARGIN:g})">',
            *ways,
            *boxes,
            *labels,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _box(node: Node, place: tuple[float, float], *, subject: bool) -> str:
    x, y = place
    style = f"box {node.kind}" + (" subject" if subject else "") + (" gone" if node.gone else "")
    room = WIDTH - 26
    moment = f"{node.moment:%Y-%m-%d}" if node.moment is not None else ""
    return (
        f'<g transform="translate({x:.1f} {y:.1f})"><title>{_plain(words(node))}</title>'
        f'<rect class="{style}" width="{WIDTH:g}" height="{HEIGHT:g}" rx="7"/>'
        f'<path class="bar {node.kind}" d="M7 0h-1a6 6 0 0 0-6 6v{HEIGHT - 12:g}a6 6 0 0 0 6 6h1z"/>'
        f'<text class="kind {node.kind}" x="18" y="18">{node.kind.upper()}</text>'
        f'<text class="detail" x="{WIDTH - 10:g}" y="18" text-anchor="end">{moment}</text>'
        f'<text class="name" x="18" y="36">{_plain(_fitted(node.name, room, 8.1))}</text>'
        f'<text class="detail" x="18" y="53">{_plain(_fitted(node.detail, room, 6.1))}</text></g>'
    )


def _way(edge: Edge, points: list[tuple[float, float]]) -> str:
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        bend = (x2 - x1) / 2
        parts.append(f"C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
    return _path("way past" if edge.past else "way", "".join(parts), edge)


def _path(style: str, course: str, edge: Edge) -> str:
    told = _plain(edge.what)
    return f'<path class="{style}" d="{course}" marker-end="url(#tip)"><title>{told}</title></path>'


def _label(edge: Edge, points: list[tuple[float, float]]) -> str:
    """Return what a way says, in the gap before the box that it leads to; no box stands there."""
    (x1, y1), (x2, y2) = points[-2:]
    return (
        f'<text class="what" x="{(x1 + x2) / 2:.1f}" y="{(y1 + y2) / 2 - 5:.1f}" text-anchor="middle">'
        f"{_plain(_fitted(edge.what, x2 - x1 - 8, 5.8))}</text>"
    )


def _way_back(edge: Edge, placed: Layout, number: int) -> str:
    """Return a way that closes a round; it goes below all boxes."""
    (x1, y1), (x2, y2) = placed.boxes[edge.source], placed.boxes[edge.target]
    x1, x2 = x1 + WIDTH / 2, x2 + WIDTH / 2
    floor, bend = placed.height + BELOW * (number + 0.8), 14.0
    turn = bend if x1 < x2 else -bend
    path = (
        f"M{x1:.1f} {y1 + HEIGHT:.1f}V{floor - bend:.1f}q0 {bend:g} {turn:g} {bend:g}"
        f"H{x2 - turn:.1f}q{turn:g} 0 {turn:g} {-bend:g}V{y2 + HEIGHT + 1:.1f}"
    )
    if x1 == x2:
        path = f"M{x1:.1f} {y1 + HEIGHT:.1f}V{floor:.1f}V{y2 + HEIGHT + 1:.1f}"
    place = f'x="{(x1 + x2) / 2:.1f}" y="{floor - 4:.1f}" text-anchor="middle"'
    return f'{_path("way past", path, edge)}<text class="what" {place}>{_plain(edge.what)}</text>'


def _fitted(text: str, room: float, letter: float) -> str:
    """Return the text, cut with an ellipsis where it is wider than `room`; a Chinese character takes two letters."""
    wide = [letter * (1.75 if unicodedata.east_asian_width(one) in "WF" else 1.0) for one in text]
    if sum(wide) <= room:
        return text
    kept, width = 0, letter
    while kept < len(text) and width + wide[kept] <= room:
        width += wide[kept]
        kept += 1
    return text[:kept].rstrip() + "…"


def _plain(text: str) -> str:
    """Return a text for SVG, without characters that XML does not have."""
    return escape(
        "".join(one for one in text if unicodedata.category(one) not in ("Cc", "Cs") and ord(one) & 0xFFFE != 0xFFFE)
    )
