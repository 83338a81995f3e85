"""``predict --zero-shot`` and ``zoo``: no model, no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pytest

from luban.core.errors import InputError, NotFound
from luban.operations.predict import predict
from luban.operations.zoo.list_ import zoo_list
from luban.operations.zoo.show import zoo_show
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a tiny backbone as transformers writes it."""
    from luban.foundation.backbones import tiny

    made = tiny.text(["billing delivery refund money parcel"])
    made.body.network.save_pretrained(tmp_path / "tiny")
    (tmp_path / "tiny" / "tokenizer.json").write_bytes(made.prepares.files["tokenizer.json"])
    return tmp_path


def test_labels_are_predicted_without_a_model(folder: Path) -> None:
    rows = pa.table({"id": [1, 2, 3], "text": ["my parcel is late, where is it now", "give me my money back", None]})
    pyarrow.csv.write_csv(rows, folder / "rows.csv")
    with Workspace.open(folder / ".luban") as workspace:
        done = predict(
            workspace,
            str(folder / "rows.csv"),
            zero_shot="billing, delivery,refund",
            backbone=str(folder / "tiny"),
            text="text",
            keep=("id",),
        )
    names = ("id", "prediction", "probability_billing", "probability_delivery", "probability_refund")
    assert done.columns == names
    assert [sum(row[name] for name in names[2:]) for row in done.predictions] == pytest.approx([1, 1, 1])
    assert done.predictions[2]["prediction"] is None
    assert any("1 rows have no text" in note for note in done.notes)


def test_a_description_says_what_a_label_means(folder: Path) -> None:
    """The description stands in the place of the name; columns are called by the name."""
    rows = pa.table({"text": ["billing delivery", "refund money parcel"]})
    with Workspace.open(folder / ".luban") as workspace:

        def chosen(labels: str) -> list[str]:
            made = predict(workspace, data=rows, zero_shot=labels, backbone=str(folder / "tiny"))
            assert made.columns == ("prediction", "probability_a", "probability_b")
            return [row["prediction"] for row in made.predictions]

        assert chosen("a=billing delivery, b=refund money parcel") == ["a", "b"]
        assert chosen("a=refund money parcel，b=billing delivery") == ["b", "a"]
        with pytest.raises(InputError, match="comes twice"):
            predict(workspace, data=rows, zero_shot="a=billing,a=refund", backbone=str(folder / "tiny"))


def test_a_script_that_the_backbone_does_not_know_is_said(folder: Path) -> None:
    """Of texts in a note; labels of which it knows no letter would all be alike, and are refused."""
    rows = pa.table({"text": ["money for a parcel", "ምንድን ነው ይህ", "delivery of a refund", "ሰላም ነው"]})
    tiny = str(folder / "tiny")
    with Workspace.open(folder / ".luban") as workspace:
        told = " ".join(predict(workspace, data=rows, zero_shot="billing,delivery", backbone=tiny).notes)
        assert "does not know" in told
        assert "Ethiopic" in told
        assert "luban zoo list" in told
        with pytest.raises(InputError, match=r"does not tell two of the labels apart.*ነው"):
            predict(workspace, data=rows, zero_shot="ሰላም,ነው", backbone=tiny)
        half = predict(workspace, data=rows, zero_shot="billing,ነው", backbone=tiny)
        assert any(note.startswith("Of the labels: The tokenizer does not know") for note in half.notes)


def test_labels_choose_the_backbone_where_texts_are_in_another_script(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chinese labels of English texts are read by what reads both."""
    from luban.foundation import zoo

    asked: list[list[str | None]] = []

    def default(kind: str, sample: list[str | None]) -> zoo.Zoo:
        asked.append(list(sample))
        return zoo.find(str(folder / "tiny"))

    monkeypatch.setattr(zoo, "default", default)
    rows = pa.table({"text": ["my card was charged twice by the shop", "where is my parcel"]})
    with Workspace.open(folder / ".luban") as workspace:
        predict(workspace, data=rows, zero_shot="billing,delivery=a parcel")
        assert not zoo.mostly_latin(["账单", "快递"])
        with pytest.raises(InputError, match="apart"):
            predict(workspace, data=rows, zero_shot="账单,快递")
    assert asked == [[*rows["text"].to_pylist(), "billing", "a parcel"], ["账单", "快递"]]


def test_pictures_are_not_compared_with_names(tmp_path: Path) -> None:
    pictures = pytest.importorskip("PIL.Image")
    for label in ("ants", "bees"):
        (tmp_path / "rows" / label).mkdir(parents=True)
        for place in range(3):
            pictures.new("RGB", (20, 20), (place * 40, 0, 0)).save(tmp_path / "rows" / label / f"{place}.png")
    with Workspace.open(tmp_path / ".luban") as workspace, pytest.raises(InputError, match="no column of texts"):
        predict(workspace, str(tmp_path / "rows"), zero_shot="ants,bees")


def test_what_is_missing_or_too_much_is_said(folder: Path) -> None:
    rows = pa.table({"a": ["some words are here", "and some more"], "b": ["words again over here", "and here too"]})
    with Workspace.open(folder / ".luban") as workspace:
        with pytest.raises(InputError, match="which column"):
            predict(workspace, data=rows, zero_shot="x,y", backbone=str(folder / "tiny"))
        with pytest.raises(NotFound, match="column"):
            predict(workspace, data=rows, zero_shot="x,y", backbone=str(folder / "tiny"), text="c")
        with pytest.raises(InputError, match="no model to name"):
            predict(workspace, "model", rows, zero_shot="x,y")
        with pytest.raises(InputError, match="needs a model and its rows"):
            predict(workspace, "model")
        with pytest.raises(InputError, match="no rows to predict"):
            predict(workspace, zero_shot="x,y")
        with pytest.raises(InputError, match="go with --zero-shot"):
            predict(workspace, "model", rows, text="a")


def test_the_zoo_is_listed_and_shown(folder: Path) -> None:
    with Workspace.open(folder / ".luban") as workspace:
        lines = {line.backbone: line for line in zoo_list(workspace).backbones}
        assert {"minilm", "multilingual_e5_small", "efficientnet_lite0"} <= set(lines)
        assert all(line.installed == (not line.needs) for line in lines.values())
        assert "tokens" in lines["minilm"].tasks
        assert "tokens" not in lines["efficientnet_lite0"].tasks
        assert {line.modality for line in zoo_list(workspace, "image").backbones} == {"image"}
        with pytest.raises(NotFound):
            zoo_list(workspace, "smell")
        shown = zoo_show(workspace, str(folder / "tiny"))
        assert shown.modality == "text"
        assert set(shown.ways["lora"]) == set(shown.tasks) - {"matching"}
        assert (shown.ways["few_shot"], shown.ways["matching"]) == (("binary", "multiclass"), ("matching",))
        assert "few_shot" not in {
            way for way, tasks in lines["efficientnet_lite0"].ways.items() if "regression" in tasks
        }
        with pytest.raises(NotFound, match="minilm"):
            zoo_show(workspace, "nope")


def test_a_client_over_the_network_reaches_no_file(folder: Path) -> None:
    """Neither rows in the place of the model nor a folder as a backbone."""
    from luban.core.errors import Refused
    from luban.core.paths import paths_refused

    rows = pa.table({"text": ["some words are here", "and some more there"]})
    pyarrow.csv.write_csv(rows, folder / "rows.csv")
    with Workspace.open(folder / ".luban") as workspace, paths_refused():
        with pytest.raises(InputError, match="given as data"):
            predict(workspace, str(folder / "rows.csv"), zero_shot="x,y", backbone=str(folder / "tiny"))
        with pytest.raises(Refused, match="only backbones of the zoo"):
            predict(workspace, data=rows, zero_shot="x,y", backbone=str(folder / "tiny"))
