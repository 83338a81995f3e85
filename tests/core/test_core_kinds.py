"""What holds for all columns of a kind is asked of one table; rooms above the modalities know none of their names."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import get_args

import pytest

import luban
from luban.core import plugins
from luban.core.kinds import MEANINGS, modalities
from luban.core.schema import Kind

ROOT = Path(luban.__file__).parent
ABOVE = ("evaluation", "search", "trust", "export", "serving", "monitoring", "review", "operations", "surfaces")
WORKS = {kind for kind, meaning in MEANINGS.items() if not meaning.cell}


def test_every_kind_means_something_and_is_of_a_modality_that_there_is() -> None:
    assert set(MEANINGS) == set(get_args(Kind))
    assert set(modalities(MEANINGS)) == set(plugins.names("modalities"))


def _compared(node: ast.Compare) -> bool:
    """Return whether a kind is compared with that of a work of its own."""
    sides = (node.left, *node.comparators)
    kinds = [
        side
        for side in sides
        if (isinstance(side, ast.Attribute) and side.attr == "kind")
        or (isinstance(side, ast.Subscript) and isinstance(side.slice, ast.Constant) and side.slice.value == "kind")
    ]
    named = {one.value for side in sides for one in ast.walk(side) if isinstance(one, ast.Constant)}
    return bool(kinds) and bool(WORKS & {one for one in named if isinstance(one, str)})


@pytest.mark.parametrize("room", ABOVE)
def test_no_room_above_compares_a_kind_with_a_modality(room: str) -> None:
    """It asks `luban.core.kinds` what holds for the kind instead."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare) and _compared(node)
    ]
    assert not found


def test_a_wire_takes_every_kind() -> None:
    """Words and files are strings; the two tables of the wire have all kinds but the one that no model reads."""
    tensors = importlib.import_module("luban.serving.wires.tensors")
    assert set(tensors._FOR_KIND) == set(tensors._ACCEPTED) == set(MEANINGS) - {"nested"}
    assert all(tensors._ACCEPTED[kind] == ("BYTES",) for kind in WORKS)
