"""A real command line in a real process, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)


class CommandLine:
    """Runs `luban` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str | Path, timeout: float = 280, **environment: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "luban", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "LUBAN_WORKSPACE": str(self.folder / ".luban"), **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-m", "luban", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "LUBAN_WORKSPACE": str(self.folder / ".luban"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def luban(tmp_path: Path) -> CommandLine:
    """The command line in a fresh folder."""
    return CommandLine(tmp_path)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line in a folder with one fitted model `tumours`, its rows in tumours.csv and test.csv."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    folder = tmp_path_factory.mktemp("fitted")
    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.frame.drop(columns="target").assign(diagnosis=bunch.target_names[bunch.target])
    train, test = train_test_split(frame, test_size=0.3, random_state=7, stratify=frame["diagnosis"])
    train.to_csv(folder / "tumours.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    line = CommandLine(folder)
    answer = line("fit", "tumours.csv", "--target", "diagnosis", "--rounds", "3", "--json")
    assert answer.code == 0, answer.err
    (folder / "fit.json").write_text(answer.out)
    return line
