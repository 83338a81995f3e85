"""What `data import` is told of special columns decides their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import luban

if TYPE_CHECKING:
    from pathlib import Path


def test_special_columns_get_their_roles_and_are_no_inputs(tmp_path: Path) -> None:
    rows = {"day": [f"2026-01-{d:02}" for d in range(1, 29)], "who": ["a", "b"] * 14, "x": list(range(28))}
    made = luban.data.import_(rows, name="visits", time="day", group="who", workspace=tmp_path)
    roles = {column.name: column.role for column in made.schema.columns}
    assert (roles["day"], roles["who"]) == ("time", "group")
    parts = luban.data.split("visits", how="time", shares=(0.5, 0.5), workspace=tmp_path).parts
    assert [part.rows for part in parts] == [14, 14]
