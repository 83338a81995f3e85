"""A folder of class folders tells its own target, to fit and evaluate alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from luban.core.errors import InputError
from luban.operations.data.import_ import data_import
from luban.operations.evaluate import evaluate
from luban.operations.fit import Fit, fit

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "shades"
    for label, level in (("dark", 40), ("light", 200)):
        (folder / label).mkdir(parents=True)
        for place in range(12):
            Image.new("RGB", (24, 24), (level + place,) * 3).save(folder / label / f"{place}.png")
    return folder


def test_a_folder_and_the_data_set_made_of_it_need_no_target(workspace: Workspace, pictures: Path) -> None:
    fitted = fit(workspace, str(pictures), rounds=1, learners=("constant",))
    assert isinstance(fitted, Fit)
    assert (fitted.model, workspace.models.get("shades").task.target) == ("shades/1", "label")
    assert evaluate(workspace, "shades", str(pictures)).rows == 24
    data_import(workspace, str(pictures), name="kept")
    again = fit(workspace, "kept", rounds=1, learners=("constant",))
    assert workspace.models.get(again.model).task.target == "label"


def test_a_table_tells_no_target(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match="fit needs target"):
        fit(workspace, str(tmp_path / "plain.csv"))
