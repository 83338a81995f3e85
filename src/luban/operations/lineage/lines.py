"""Lineage as lines of text: a tree of what led to a thing, and one of what it led to."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.core.lineage import Edge, Lineage, Node

_BRANCHES = ("├─ ", "└─ ", "│  ", "   ")
_PLAIN = ("|- ", "`- ", "|  ", "   ")


def lines(lineage: Lineage, *, plain: bool = False) -> list[str]:
    """Return the lines; `plain` uses ASCII alone."""
    nodes = {node.id: node for node in lineage.nodes}
    into: dict[str, list[Edge]] = defaultdict(list)
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in lineage.edges:
        into[edge.target].append(edge)
        out[edge.source].append(edge)
    told = [words(nodes[lineage.subject])]
    for title, near, end in (("came from", into, "source"), ("led to", out, "target")):
        if near[lineage.subject]:
            told.append(title)
            branches = _Branches(nodes, near, end, lineage.subject, _PLAIN if plain else _BRANCHES)
            told += branches.under(lineage.subject, "")
    return told


def words(node: Node) -> str:
    """Return a node as one line."""
    moment = f" ({node.moment:%Y-%m-%d %H:%M})" if node.moment is not None else ""
    detail = f": {node.detail}" if node.detail else ""
    return f"{node.kind} {node.name}{detail}{moment}"


class _Branches:
    """One direction as a tree: each node has its branch where it is nearest to the subject, and is named elsewhere."""

    def __init__(
        self,
        nodes: dict[str, Node],
        near: dict[str, list[Edge]],
        end: str,
        subject: str,
        glyphs: tuple[str, str, str, str],
    ) -> None:
        self._nodes, self._near, self._end, self._glyphs = nodes, near, end, glyphs
        self._home: dict[str, Edge | None] = {subject: None}
        waiting = deque([subject])
        while waiting:
            for edge in near[waiting.popleft()]:
                other: str = getattr(edge, end)
                if other not in self._home:
                    self._home[other] = edge
                    waiting.append(other)

    def under(self, name: str, indent: str) -> list[str]:
        """Return the lines of the branches of a node."""
        middle, end, beside, below = self._glyphs
        told = []
        for place, edge in enumerate(edges := self._near[name]):
            last = place == len(edges) - 1
            node = self._nodes[getattr(edge, self._end)]
            how = f"{edge.what}: " if edge.past or "deployment" in (node.kind, self._nodes[name].kind) else ""
            here = self._home[node.id] is edge
            text = words(node) if here else f"{node.kind} {node.name} (see its own branch)"
            told.append(f"{indent}{end if last else middle}{how}{text}")
            if here:
                told += self.under(node.id, indent + (below if last else beside))
        return told
