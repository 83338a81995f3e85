"""Updates of real sounds and of labels of real words, through the command, by learners that learn something."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.operations.fit import fit
from luban.store import Workspace

pytest.importorskip("torch")
pytest.importorskip("transformers")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DIGITS = (0, 1)
ONE_CORE = """
import os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
from luban.surfaces.cli import main
main()
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace; fits run in this process, and begin with tiny networks of random weights."""
    from luban.foundation import zoo
    from luban.foundation.backbones import tiny
    from luban.learners.adapted import choice

    class Tiny:
        def __init__(self, kind: str, sample: list[str]) -> None:
            self.kind, self.sample = kind, sample

        def card(self) -> Any:
            return self.load().card

        def load(self) -> Any:
            return tiny.audio(seconds=1.0) if self.kind == "audio" else tiny.text(self.sample)

    made: dict[str, Tiny] = {}

    def default(kind: str, sample: list[str] | None = None) -> Tiny:
        return made.setdefault(f"tiny_{kind}", Tiny(kind, list(sample or ())))

    choice._kept.cache_clear()
    monkeypatch.setattr(zoo, "default", default)
    monkeypatch.setattr(zoo, "find", lambda name: made[name])
    monkeypatch.setattr(LocalExecutor, "of_this_machine", classmethod(lambda cls: InlineExecutor()))
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        yield opened
    choice._kept.cache_clear()


def _updated(workspace: Workspace, name: str, data: Path) -> dict[str, Any]:
    """Return what `luban update` says: it goes on from the champion, in a process of its own.

    The process has one core: threads that share tiny products on a busy machine wait for each other most of the time.
    """
    words = ("update", name, str(data), "--way", "continue", "--rounds", "1", "--gate", "latency=off", "--json")
    done = subprocess.run(
        [sys.executable, "-c", ONE_CORE, *words],
        env={**os.environ, "LUBAN_WORKSPACE": str(workspace.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _spoken(data: Path, into: Path, speakers: set[str], *, turned: bool = False) -> list[Path]:
    """Write spoken digits into folders of their names, or of each other's, and return the files."""
    files = []
    with zipfile.ZipFile(data / "audio.zip") as sounds:
        for row in pq.read_table(data / "metadata.parquet").to_pylist():
            if row["label"] not in DIGITS or row["speaker"] not in speakers:
                continue
            label = DIGITS[1 - row["label"]] if turned else row["label"]
            file = into / f"digit {label}" / row["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(sounds.read(row["file"]))
            files.append(file)
    return files


@pytest.mark.long
def test_spoken_digits_are_put_right(shared_data: Callable[[str], Path], workspace: Workspace, tmp_path: Path) -> None:
    """A probe that one speaker told the digits wrong goes on with those of others, and names more of the newest, which
    it has not heard, than before."""
    data = shared_data("fsdd")
    assert len(_spoken(data, tmp_path / "old", {"george"}, turned=True)) == 40
    assert len(_spoken(data, tmp_path / "new", {"jackson", "lucas", "nicolas"})) == 120
    fit(workspace, str(tmp_path / "old"), learners=("linear_probe",), rounds=1, name="digits")
    done = _updated(workspace, "digits", tmp_path / "new")
    assert (done["outcome"], done["challenger"], done["way"]) == ("promoted", "digits/2", "went on learning"), done
    assert (done["learnt"], done["fresh"]) == (70, 50)


def _written(texts: list[str], *, turned: bool = False) -> list[dict[str, list[str]]]:
    """Return words in small letters, and which of them were written with a capital one, or which were not."""
    rows = []
    for text in texts:
        words = re.findall(r"[A-Za-z]+", text)[:12]
        labels = [("name", "word") if word[0].isupper() else ("word", "name") for word in words]
        rows.append({"words": [one.lower() for one in words], "y": [one[turned] for one in labels]})
    return [one for one in rows if one["words"]]


@pytest.mark.long
def test_labels_of_words_are_put_right(
    shared_data: Callable[[str], Path], workspace: Workspace, tmp_path: Path
) -> None:
    """A network that was told the names of the news wrong learns them from later ones."""
    texts = pq.read_table(shared_data("ag_news") / "data.parquet")["text"].to_pylist()
    way = ("way=full", "epochs=8", "batch=8", "learning_rate=0.003")
    rows = _written(texts[:80], turned=True)
    fit(workspace, rows, target="y", learners=("fine_tune",), rounds=1, name="names", adapt=way)
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, _written(texts[80:240]))))
    done = _updated(workspace, "names", tmp_path / "new.jsonl")
    assert (done["outcome"], done["challenger"], done["way"]) == ("promoted", "names/2", "went on learning"), done
    assert (done["learnt"], done["fresh"]) == (110, 50)
