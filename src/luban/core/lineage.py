"""What came from what: data, runs, models, deployments and labels, and the ways between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

NodeKind = Literal["data", "run", "model", "deployment", "labels"]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One thing of a workspace.

    Parameters
    ----------
    id : str
        Kind and name, such as ``"model:adult/3"``.
    name : str
        Such as ``"adult/3"``.
    detail : str
        In a few words what is worth knowing of it.
    facts : mapping
        JSON values.
    gone : bool
        Whether it was deleted, or is named and was never here.
    """

    id: str
    kind: NodeKind
    name: str
    detail: str = ""
    moment: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A way from what was there first to what came of it.

    Parameters
    ----------
    source, target : str
        Identifiers of nodes.
    what : str
        In a word or two, such as ``"learnt from"`` or ``"90%"``.
    past : bool
        Whether it does not hold any more: a version that a deployment had once.
    """

    source: str
    target: str
    what: str = ""
    past: bool = False


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """All that one thing came from, and all that came of it.

    Parameters
    ----------
    subject : str
        Identifier of its node.
    nodes : tuple of Node
        The subject first.
    edges : tuple of Edge
    """

    subject: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, identifier: str) -> Node:
        """Return a node by its identifier."""
        return next(one for one in self.nodes if one.id == identifier)
