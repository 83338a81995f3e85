"""Lineage as lines of text: a tree of what led to a thing, and one of what it led to."""

from __future__ import annotations

from collections import defaultdict
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
            seen = {lineage.subject}
            told += _branches(lineage.subject, near, end, nodes, seen, "", _PLAIN if plain else _BRANCHES)
    return told


def words(node: Node) -> str:
    """Return a node as one line."""
    moment = f" ({node.moment:%Y-%m-%d %H:%M})" if node.moment is not None else ""
    detail = f": {node.detail}" if node.detail else ""
    return f"{node.kind} {node.name}{detail}{moment}"


def _branches(
    name: str,
    near: dict[str, list[Edge]],
    end: str,
    nodes: dict[str, Node],
    seen: set[str],
    indent: str,
    glyphs: tuple[str, str, str, str],
) -> list[str]:
    told = []
    edges = near[name]
    for place, edge in enumerate(edges):
        last = place == len(edges) - 1
        other: str = getattr(edge, end)
        how = f"{edge.what}: " if edge.what and (nodes[other].kind == "deployment" or edge.past) else ""
        again = other in seen and bool(near[other])
        text = f"{nodes[other].kind} {nodes[other].name} (see above)" if again else words(nodes[other])
        told.append(f"{indent}{glyphs[1] if last else glyphs[0]}{how}{text}")
        if not again:
            seen.add(other)
            told += _branches(other, near, end, nodes, seen, indent + (glyphs[3] if last else glyphs[2]), glyphs)
    return told
