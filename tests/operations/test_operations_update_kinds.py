"""Updates of pictures, sounds, several labels a row and labels of words: the same loop, whatever a row holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from bar_pictures import NET, champion, pictures

from luban.core.budget import Duration
from luban.core.errors import InputError, Unsupported
from luban.core.task import Task
from luban.data import versions
from luban.operations.deploy import deploy
from luban.operations.fit import fit
from luban.operations.loading import fitted
from luban.operations.predict import predict
from luban.operations.update import update
from luban.operations.updates.set import updates_set
from luban.operations.updating.material import of_data, of_log
from luban.operations.updating.rows import Rows, in_any_order
from luban.operations.updating.subject import subject

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

pytestmark = pytest.mark.usefixtures("in_this_process")

QUICK: dict[str, Any] = {"rounds": 1, "gate": ("latency=off",), "way": "retrain"}
WORDS = ["tea", "rain", "stone", "lamp", "road", "song", "ink", "bread"]


@pytest.mark.long
def test_a_folder_of_pictures_is_learnt_from_and_judges(workspace: Workspace, tmp_path: Path) -> None:
    """What the champion learnt wrong is put right, and the new version reads pictures."""
    pytest.importorskip("torch")
    champion(workspace, pictures(tmp_path / "old", 40, seed=1, turned=True), "image_network", NET)
    more = pictures(tmp_path / "more", 200, seed=2)
    done = update(workspace, "bars", str(more), **{**QUICK, "gate": ("latency=50",)})
    assert (done.outcome, done.challenger, done.fresh) == ("promoted", "bars/2", 50)
    assert {"lies", "stands"} == set(
        versions.table(workspace, workspace.models.get("bars/2").dataset)["label"].to_pylist()
    )
    again = pictures(tmp_path / "again", 20, seed=3)
    table = pa.table({"image": [str(one) for one in sorted(again.rglob("*.png"))]})
    right = fitted(workspace, "bars").predict(table).prediction.to_pylist()
    assert sum(one == ("lies" if place < 10 else "stands") for place, one in enumerate(right)) >= 18


def test_pictures_that_were_learnt_from_are_no_news_wherever_they_lie(workspace: Workspace, tmp_path: Path) -> None:
    """A folder that holds the old pictures too continues the old one: they are known by their content. Both classes
    are among the rows that are learnt from and among those that judge."""
    champion(workspace, pictures(tmp_path / "old", 40, seed=1), "constant", {})
    whole = pictures(tmp_path / "whole" / "deeper", 40, seed=1)
    for label in ("lies", "stands"):
        for place, one in enumerate(sorted(pictures(tmp_path / "new", 120, seed=2).glob(f"{label}/*.png"))):
            one.rename(whole / label / f"later {place}.png")
    found = of_data(workspace, subject(workspace, "bars"), str(whole), 0.5)
    assert (len(found.known), len(found.new), len(found.fresh)) == (40, 60, 60)
    assert "40 of 160 rows had been learnt from" in found.notes[-1]
    for rows in (found.known, found.new, found.fresh):
        assert 0.2 < rows.target.mean() < 0.8


def test_the_log_keeps_nopictures(workspace: Workspace, tmp_path: Path) -> None:
    """Without rows of its own there is nothing to learn from, which is said at once, by a policy too."""
    champion(workspace, pictures(tmp_path / "old", 40, seed=1), "constant", {})
    deploy(workspace, "bars", "bars")
    with pytest.raises(Unsupported, match="luban update bars DATA"):
        update(workspace, "bars", **QUICK)
    with pytest.raises(Unsupported, match="luban update bars DATA"):
        updates_set(workspace, "bars", on="labels")
    with pytest.raises(Unsupported, match="luban update bars DATA"):
        deploy(workspace, "more", "bars", update="drift")


@pytest.mark.long
def test_sounds_go_through_the_loop(workspace: Workspace, tmp_path: Path) -> None:
    """A folder of sounds against a champion that learnt nothing: one that learns nothing either is refused."""
    for part, count in (("old", 40), ("more", 120)):
        for place in range(count):
            into = tmp_path / part / ("low" if place % 2 else "high")
            into.mkdir(parents=True, exist_ok=True)
            tone = np.sin(2 * np.pi * (1500, 300)[place % 2] * np.arange(3000) / 8000 + place + count)
            with wave.open(str(into / f"{place}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes((8000 * tone).astype("<i2").tobytes())
    fit(workspace, str(tmp_path / "old"), learners=("constant",), rounds=1, name="tones")
    done = update(workspace, "tones", str(tmp_path / "more"), **QUICK)
    assert (done.outcome, done.challenger, done.fresh, done.learnt) == ("refused", "tones/2", 50, 110)


def _texts(count: int, seed: int, *, turned: bool = False) -> list[dict[str, Any]]:
    """Texts whose labels are the first letters of some of their words, or of the opposite ones."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        words = random.choice(WORDS, 4)
        wet, dry = "rain" in words or "tea" in words, "stone" in words
        rows.append(
            {"text": " ".join(words), "y": [*(["wet"] if wet != turned else []), *(["dry"] if dry != turned else [])]}
        )
    return rows


@pytest.mark.long
def test_texts_of_several_labels_are_learnt_from(workspace: Workspace, tmp_path: Path) -> None:
    """From a file, through the command; rows of labels that are not known are left out."""
    made = fit(workspace, _texts(150, 1, turned=True), target="y", learners=("text_ngrams",), rounds=1, name="notes")
    assert made.task == "multilabel"
    more = [*_texts(400, 2), {"text": "ink", "y": ["unheard of"]}]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, more)))
    command = ["update", "notes", str(tmp_path / "more.jsonl"), "--rounds", "1", "--gate", "latency=off", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "luban", *command, "--way", "retrain"],
        env={**os.environ, "LUBAN_WORKSPACE": str(workspace.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["outcome"], said["challenger"], said["fresh"]) == ("promoted", "notes/2", 100)
    assert any(note.startswith("1 labels are none of the model's") for note in said["notes"])
    kept = versions.table(workspace, workspace.models.get("notes/2").dataset)
    assert set(kept["y"].to_pylist()[-1]) <= {"wet", "dry"}
    told = predict(workspace, "notes", [{"text": "rain ink lamp"}, {"text": "stone ink lamp"}]).predictions
    assert [one["prediction"] for one in told] == [["wet"], ["dry"]]


@pytest.mark.long
def test_labels_of_words_go_through_the_loop(workspace: Workspace) -> None:
    """Texts of other lengths than before, and rows whose labels are not as many as their words, which are left out."""
    rows = [{"words": ["Ada", "is", f"in{i}"], "y": ["B-PER", "O", "O"]} for i in range(40)]
    fit(
        workspace,
        [*rows, *[{"words": ["it", "rains"], "y": ["O", "O"]}] * 20],
        target="y",
        rounds=1,
        learners=("constant",),
        name="m",
    )
    more = [{"words": ["so", "Ada", "is", "here", f"{i}"], "y": ["O", "B-PER", "O", "O", "O"]} for i in range(120)]
    found = of_data(workspace, subject(workspace, "m"), [*more, {"words": ["one"], "y": ["O", "O"]}], 0.25)
    assert (len(found.known), len(found.new), len(found.fresh)) == (60, 70, 50)
    done = update(workspace, "m", more, **QUICK)
    assert (done.outcome, done.challenger, done.learnt) == ("refused", "m/2", 130)


def test_lists_of_labels_come_from_the_log(workspace: Workspace) -> None:
    """Labelled predictions of texts of several labels: those of known labels are learnt from, none of none."""
    fit(workspace, _texts(60, 1), target="y", learners=("constant",), rounds=1, name="notes")
    deploy(workspace, "notes", "notes")
    empty = of_log(workspace, subject(workspace, "notes"), 0.25)
    assert (len(empty.known), len(empty.new), len(empty.fresh)) == (60, 0, 0)


def test_rows_that_stand_class_by_class_are_taken_in_any_order() -> None:
    """Others keep theirs, which may be that of time."""
    task = Task(kind="binary", target="y", inputs=("x",), metric="accuracy", classes=(0, 1))
    table = pa.table({"x": pa.array(np.arange(100.0))})
    for target, mixed in ((np.repeat([0, 1], 50), True), (np.tile([0, 1], 50), False), (np.zeros(100, int), False)):
        found = in_any_order(task, Rows(table=table, target=target))
        assert (found.table["x"].to_pylist() != table["x"].to_pylist()) == mixed
        assert sorted(found.table["x"].to_pylist()) == table["x"].to_pylist()
        assert found.target.tolist() == target[found.table["x"].to_numpy().astype(int)].tolist()


def test_what_has_no_true_values_is_refused(workspace: Workspace) -> None:
    """Of several labels too, rows are needed whose labels the model knows."""
    fit(workspace, _texts(60, 1), target="y", learners=("constant",), rounds=1, name="notes")
    with pytest.raises(InputError, match="no row has a target"):
        update(workspace, "notes", [{"text": "ink", "y": ["unheard of"]}] * 200, **QUICK)


@pytest.mark.long
def test_a_budget_that_sufficed_for_the_baseline_alone_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the reason, with a longer one to try; whether it did is said by the fit, which the test decides."""
    from luban.operations.fitting import finish

    rows = [{"a": i % 7, "y": "yes" if i % 7 > 3 else "no"} for i in range(260)]
    fit(workspace, rows[:60], target="y", learners=("constant",), rounds=1, name="m")
    assert "--budget" not in update(workspace, "m", rows[60:], **QUICK).reason
    monkeypatch.setattr(finish, "_bare", lambda *given: ["Only the baseline stands."])
    done = update(workspace, "m", rows[60:], **QUICK, budget=Duration(90))
    assert done.outcome == "refused"
    assert done.reason.endswith("the budget of 90 s sufficed for the baseline only, try --budget 900s")
