"""The Python face: verbs as functions, beside rooms of the same name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import luban
from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from pathlib import Path


def rows(n: int = 80) -> pd.DataFrame:
    return pd.DataFrame({"a": [i % 7 for i in range(n)], "b": [i % 5 for i in range(n)]}).assign(
        y=lambda frame: ["yes" if a > 3 else "no" for a in frame["a"]]
    )


def test_verbs_and_rooms_of_one_name_are_both_there() -> None:
    room = importlib.import_module("luban.export.onnx")
    from luban.data import read

    assert callable(luban.export)
    assert luban.export.onnx is room
    assert callable(luban.data.list)
    assert luban.data.read is read
    assert "list" in dir(luban.data)


def test_a_data_frame_becomes_a_model_that_answers_a_dict(tmp_path: Path) -> None:
    made = luban.fit(rows(), target="y", rounds=2, learners=["linear"], name="small", workspace=tmp_path)
    assert made.model == "small/1"
    model = luban.load("small@champion", workspace=tmp_path)
    answer = model.predict_row({"a": 6, "b": 0})
    assert answer["prediction"] == "yes"
    assert answer["probabilities"]["yes"] > 0.9
    table = model.predict(rows(3).drop(columns="y")).to_table()
    assert table.column_names == ["prediction", "probability_no", "probability_yes"]
    assert luban.models.list(workspace=tmp_path).models[0].model == "small/1"


def test_wrong_calls_say_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean target"):
        luban.fit(rows(), taget="y", workspace=tmp_path)
    with pytest.raises(InputError, match="takes 1 arguments by position"):
        luban.fit(rows(), "y", workspace=tmp_path)
    with pytest.raises(InputError, match="60s, 5m or 1h30m"):
        luban.fit(rows(), target="y", budget="soon", workspace=tmp_path)
    with pytest.raises(NotFound, match="no model is named"):
        luban.load("nothing", workspace=tmp_path)
    with pytest.raises(AttributeError, match="lst"):
        _ = luban.models.lst


def test_signature_and_help_are_the_operation_s() -> None:
    assert "target" in luban.fit.__signature__.parameters
    assert "workspace" in luban.fit.__signature__.parameters
    assert luban.fit.__doc__.startswith("Fit a model")
