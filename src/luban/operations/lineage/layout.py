"""Where the boxes of a lineage stand: columns from what was first to what came of it (Sugiyama, Tagawa and Toda 1981).

Ways that lead back are set aside, each box goes as far left as what it came from allows, ways that pass a column get a
place in it, boxes are ordered by the mean of their neighbours, and moved towards them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.lineage import Edge, Lineage

WIDTH, HEIGHT = 216.0, 64.0
COLUMN, ROW = 326.0, 24.0
PASSING = 10.0
_SWEEPS = 12


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Places in the drawing.

    Parameters
    ----------
    boxes : dict of str to (float, float)
        The upper left corner of each node's box.
    ways : list of (Edge, list of (float, float))
        For each edge that leads on the points it goes through, from the right side of one box to the left of another.
    back : list of Edge
        Those that lead back.
    width, height : float
    """

    boxes: dict[str, tuple[float, float]]
    ways: list[tuple[Edge, list[tuple[float, float]]]]
    back: list[Edge]
    width: float
    height: float


def layout(lineage: Lineage) -> Layout:
    """Return where everything stands."""
    names = [node.id for node in lineage.nodes]
    on, back = _without_rounds(names, lineage.edges, lineage.subject)
    rank = _ranks(names, on)
    columns: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for name in names:
        columns[rank[name]].append(name)
    chains: list[list[str]] = []
    for number, edge in enumerate(on):
        between = [f"way {number} {place}" for place in range(rank[edge.source] + 1, rank[edge.target])]
        for place, one in enumerate(between, start=rank[edge.source] + 1):
            columns[place].append(one)
        chains.append([edge.source, *between, edge.target])
    near_left, near_right = defaultdict(list), defaultdict(list)
    for chain in chains:
        for one, two in pairwise(chain):
            near_right[one].append(two)
            near_left[two].append(one)
    _order(columns, near_left, near_right)
    tall = {name: PASSING if name.startswith("way ") else HEIGHT for column in columns for name in column}
    middle = _places(columns, tall, near_left, near_right)
    top = min(middle[name] - tall[name] / 2 for name in middle)
    boxes = {name: (rank[name] * COLUMN, middle[name] - HEIGHT / 2 - top) for name in names}
    ways = []
    for edge, chain in zip(on, chains, strict=True):
        points = [(boxes[edge.source][0] + WIDTH, middle[edge.source] - top)]
        for place, one in enumerate(chain[1:-1], start=rank[edge.source] + 1):
            points += [(place * COLUMN, middle[one] - top), (place * COLUMN + WIDTH, middle[one] - top)]
        ways.append((edge, [*points, (boxes[edge.target][0], middle[edge.target] - top)]))
    height = max(middle[name] + tall[name] / 2 for name in middle) - top
    return Layout(boxes=boxes, ways=ways, back=back, width=(len(columns) - 1) * COLUMN + WIDTH, height=height)


def _without_rounds(names: Sequence[str], edges: Sequence[Edge], subject: str) -> tuple[list[Edge], list[Edge]]:
    """Return the edges that lead on and those that close a round: what was seen while its own ways are walked."""
    out: dict[str, list[Edge]] = defaultdict(list)
    into = {edge.target for edge in edges}
    for edge in edges:
        out[edge.source].append(edge)
    state: dict[str, int] = {}
    back: list[Edge] = []
    # From where nothing leads to first; in a round without a beginning from the subject.
    for start in [*(name for name in names if name not in into), subject, *names]:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(out[start]))]
        while stack:
            name, rest = stack[-1]
            found = next(rest, None)
            if found is None:
                state[name] = 2
                stack.pop()
            elif state.get(found.target) == 1:
                back.append(found)
            elif found.target not in state:
                state[found.target] = 1
                stack.append((found.target, iter(out[found.target])))
    closing = {(edge.source, edge.target) for edge in back}
    return [edge for edge in edges if (edge.source, edge.target) not in closing], back


def _ranks(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    rank = dict.fromkeys(names, 0)
    for _ in names:
        changed = False
        for edge in edges:
            if rank[edge.target] < rank[edge.source] + 1:
                rank[edge.target], changed = rank[edge.source] + 1, True
        if not changed:
            break
    for _ in names:  # what only leads on stands right before that
        for name in names:
            after = [rank[edge.target] for edge in edges if edge.source == name]
            before = [edge for edge in edges if edge.target == name]
            if after and not before:
                rank[name] = min(after) - 1
    return rank


def _order(columns: list[list[str]], left: dict[str, list[str]], right: dict[str, list[str]]) -> None:
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        near = left if forward else right
        for column in columns if forward else reversed(columns):
            place = {name: number for other in columns for number, name in enumerate(other)}
            centre = {
                name: sum(place[one] for one in near[name]) / len(near[name]) if near[name] else place[name]
                for name in column
            }
            column.sort(key=lambda name: centre[name])


def _places(
    columns: list[list[str]], tall: dict[str, float], left: dict[str, list[str]], right: dict[str, list[str]]
) -> dict[str, float]:
    """Return the middle of each box and passing way, near to its neighbours' and apart from others of the column."""
    middle: dict[str, float] = {}
    for column in columns:
        height = 0.0
        for name in column:
            middle[name] = height + tall[name] / 2
            height += tall[name] + ROW
        for name in column:
            middle[name] -= height / 2
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wish = []
            for name in column:
                near = [*left[name], *right[name]]
                wish.append(sum(middle[one] for one in near) / len(near) if near else middle[name])
            _apart(column, wish, tall, middle)
    return middle


def _apart(column: Sequence[str], wish: Sequence[float], tall: dict[str, float], middle: dict[str, float]) -> None:
    """Give each its wish as nearly as the order allows (pool adjacent violators, by least squares)."""
    offsets, height = [], 0.0
    for place, name in enumerate(column):
        if place:
            height += tall[column[place - 1]] / 2 + ROW + tall[name] / 2
        offsets.append(height)
    pools: list[list[float]] = []
    for want, offset in zip(wish, offsets, strict=True):
        pools.append([want - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value, count = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + value * count) / (before[1] + count)
            before[1] += count
    place = 0
    for value, count in pools:
        for _ in range(int(count)):
            middle[column[place]] = value + offsets[place]
            place += 1
