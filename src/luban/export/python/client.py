"""The client beside a server of graphs: the folder that predicts, without the graph, and a program that asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from luban.export.python.package import GRAPH, README, REQUIREMENTS, RUNTIME, source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = "client"


def client(inside: Mapping[str, bytes], name: str, wire: str, more: Sequence[str] = ()) -> dict[str, bytes]:
    """Return the files of ``client`` by path.

    Parameters
    ----------
    inside : mapping of str to bytes
        The folder that predicts (`luban.export.python.package.package`). Its page is left out: the one beside the
        client tells of both.
    name : str
        The model's on the server.
    wire : str
        The form of the export: its ``alone.py`` is the program that asks, ``WIRE.json`` tells it the name.
    more : sequence of str
        Lines of requirements that the program has beside.
    """
    contents = {path: content for path, content in inside.items() if path not in (GRAPH, README)}
    lines = [one for one in inside[REQUIREMENTS].decode().splitlines() if not one.startswith(f"{RUNTIME}=")]
    contents |= {
        "ask.py": source(f"luban.export.{wire}", "alone.py"),
        f"{wire}.json": json.dumps({"name": name}).encode(),
        REQUIREMENTS: "".join(f"{one}\n" for one in (*lines, *more)).encode(),
    }
    return {f"{FOLDER}/{path}": content for path, content in contents.items()}
