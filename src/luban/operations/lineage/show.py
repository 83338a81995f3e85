"""Lineage: what a model, a data set, a run or a deployment came from, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.lineage import Edge, Node
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace

SUFFIXES = (".svg", ".json", ".txt")


@dataclass(frozen=True, kw_only=True)
class LineageShown:
    """What something came from, and what came of it.

    Attributes
    ----------
    subject : str
        Identifier of its node: kind and name.
    nodes, edges : tuple
        All of both directions; an edge leads from what was there first to what came of it.
    text : tuple of str
        The same as lines.
    output : str, optional
        The file that was written.
    """

    subject: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    text: tuple[str, ...]
    output: str | None = None


@operation(permission="models:read")
def lineage(workspace: Workspace, subject: str, *, output: Path | None = None) -> LineageShown:
    """Show what something came from and what came of it: data, runs, models, deployments, labels.

    Parameters
    ----------
    subject
        A model (NAME, NAME/VERSION, NAME@ALIAS), a data set version, a run or a deployment. Where a name means several,
        `data:NAME/VERSION`, `run:ID`, `deployment:NAME`, `labels:NAME` and `model:NAME/VERSION` say which.
    output
        File to write to: a drawing (.svg), the whole as .json, or the tree as .txt.
    """
    from luban.core.serial import to_json
    from luban.operations.lineage.drawing import drawing
    from luban.operations.lineage.lines import lines
    from luban.operations.writing import write_text

    if output is not None and output.suffix not in SUFFIXES:
        raise InputError(
            "the form of the file is not known", seen=repr(output.name), remedy=f"Let it end in {', '.join(SUFFIXES)}."
        )
    found = workspace.lineage.of(subject)
    text = lines(found)
    if output is not None:
        content = {
            ".svg": lambda: drawing(found),
            ".json": lambda: json.dumps(to_json(found), ensure_ascii=False, indent=1) + "\n",
            ".txt": lambda: "\n".join(text) + "\n",
        }[output.suffix]()
        write_text(content, output)
    return LineageShown(
        subject=found.subject,
        nodes=found.nodes,
        edges=found.edges,
        text=tuple(text),
        output=None if output is None else str(output),
    )
