"""`fit --backbone`: the network that is named is the one that reads, or there is one clear error before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from luban.core.errors import InputError, LubanError, NotFound, Refused, Unavailable
from luban.core.paths import paths_refused
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.learners.adapted import choice
from luban.operations.fit import fit
from luban.operations.fitting.backbone import checked
from luban.operations.predict import predict
from luban.operations.zoo.show import zoo_show
from luban.store import Workspace

pytest.importorskip("torch")
pytest.importorskip("transformers")

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = Schema(columns=(Column(name="text", kind="text"), Column(name="size", kind="number")))
WORDS = ["a good film", "a bad film", "good music", "bad music"]
ROWS = pa.table({"text": [f"{one} {place}" for place in range(20) for one in WORDS], "y": ["+", "-"] * 40})


def test_a_folder_is_named_so_that_every_process_finds_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert checked("bert", TEXTS) == str(folder)
    pictures = Schema(columns=(Column(name="photo", kind="image"),))
    with pytest.raises(InputError, match="reads text, and no input is of that kind"):
        checked("bert", pictures)


@pytest.mark.parametrize("damage", ["cut", "no weights", "no words", "not json"])
def test_a_damaged_folder_is_told_before_any_work(folder: Path, damage: str) -> None:
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "no weights":
        weights.unlink()
    elif damage == "no words":
        (folder / "tokenizer.json").unlink()
    else:
        (folder / "config.json").write_text("{")
    with Workspace.open(folder.parent / ".luban") as workspace, pytest.raises(LubanError) as caught:
        fit(workspace, ROWS, target="y", backbone=str(folder), rounds=1)
    assert caught.value.remedy, "it says what to do"
    with Workspace.open(folder.parent / ".luban") as workspace:
        assert workspace.runs.list() == []


def test_a_name_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with Workspace.open(tmp_path / ".luban") as workspace:
        with pytest.raises(NotFound, match=r"(?s)mnilm.*minilm"):
            fit(workspace, ROWS, target="y", backbone="mnilm")
        with pytest.raises(Unavailable, match="luban zoo list"):
            fit(workspace, ROWS, target="y", backbone="nobody/has-this-model")


@pytest.mark.long
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_no_folder(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a path it would be the current folder, here one that holds a backbone; nothing falls back to a default."""
    monkeypatch.chdir(folder)
    with Workspace.open(folder.parent / ".luban") as workspace:
        for ask in (
            lambda: fit(workspace, ROWS, target="y", backbone=name),
            lambda: zoo_show(workspace, name),
            lambda: predict(workspace, data=ROWS, zero_shot="a,b", text="text", backbone=name),
        ):
            with pytest.raises(InputError, match="empty name"):
                ask()


def test_a_client_over_the_network_names_only_the_zoo(folder: Path) -> None:
    """No folder of this machine and nothing to download, whether it exists or not."""
    with Workspace.open(folder.parent / ".luban") as workspace, paths_refused():
        for name in (str(folder), "/etc", "nobody/has-this-model"):
            with pytest.raises(Refused, match="only backbones of the zoo"):
                fit(workspace, ROWS, target="y", backbone=name)


def test_learners_take_the_one_that_the_task_insists_on() -> None:
    """A parameter that names another goes first; nothing is left to search."""
    task = Task(
        kind="binary",
        target="y",
        inputs=("text",),
        metric="log_loss",
        classes=("-", "+"),
        constraints={"backbone": "b"},
    )
    assert choice.wanted(task, {"backbone": None}) == "b"
    assert choice.wanted(task, {"backbone": "other"}) == "other"
    assert choice.offered(task, ["text"]) == {}


@pytest.mark.long
def test_the_folder_that_is_named_reads_the_texts(folder: Path) -> None:
    """The model holds that network, and needs the folder no more."""
    import shutil

    from luban.operations.loading import fitted
    from luban.operations.predict import predict

    with Workspace.open(folder.parent / ".luban") as workspace:
        found = fit(
            workspace, ROWS, target="y", backbone=str(folder), rounds=1, learners=("linear_probe",), name="small"
        )
        assert found.leaderboard[0].state == "finished"
        shutil.rmtree(folder)
        members = fitted(workspace, "small").model.members
        assert members
        for member in members:
            assert {part.backbone.card.parameters for part in member.features.parts} < {*range(200_000)}
        assert predict(workspace, "small", ROWS).rows == 80
