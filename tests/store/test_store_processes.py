"""Several real processes on one workspace: writing together, and killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from luban.store import Blobs, Workspace
from luban.store.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).with_name("store_writers.py")


def _start(what: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), what, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait(*processes: subprocess.Popen[str]) -> list[str]:
    said = []
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err
        said.append(out)
    return said


def _kill_after(process: subprocess.Popen[str], lines: int) -> Iterator[list[str]]:
    """Yield each line a process prints, and after so many of them kill it in the middle of the next piece of work."""
    assert process.stdout is not None
    for number, line in enumerate(process.stdout):
        yield line.split()
        if number == lines:
            process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("processes", "count"),
    [(4, 12), pytest.param(8, 150, marks=[pytest.mark.long, pytest.mark.timeout(1200)])],
    ids=["few", "many"],
)
def test_processes_write_together(store: Path, processes: int, count: int) -> None:
    """Processes that write at once meet no lock error, lose no row and keep one audit chain."""
    _wait(*[_start("crowd", store, count) for _ in range(processes)])  # the first to come makes the tables
    total = processes * count
    with Workspace.open(store) as workspace:
        assert [one.version for one in workspace.models.versions("m")] == list(range(1, total + 1))
        runs = workspace.runs.list(operation="child", limit=10_000)
        assert len(runs) == total
        assert len({run.id for run in runs}) == total
        assert all(run.scores.keys() == {"loss", "many", "score"} for run in runs)
        assert all(len(workspace.runs.history(run.id, "many")) == 50 for run in runs)
        moves = workspace.models.alias_history("m")
        assert [one.before for one in moves] == [None, *[one.after for one in moves[:-1]]]
        assert workspace.audit.verify() == 3 * total


def test_processes_make_one_workspace_together(tmp_path: Path, empty_postgresql: str) -> None:
    """Processes that open a workspace at the same moment make its tables once, in either database."""
    folder = tmp_path / "sqlite" / ".luban"
    _wait(*[_start("leaves", folder) for _ in range(4)])
    with Workspace.open(folder) as workspace:
        assert workspace.runs.count(operation="leaves") == 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUBAN_STORE", empty_postgresql)
        _wait(*[_start("leaves", folder) for _ in range(4)])
        with Workspace.open(folder) as workspace:
            assert workspace.runs.count(operation="leaves") == 4


def test_killed_writer_of_blobs_leaves_nothing_half_written(tmp_path: Path) -> None:
    """Whatever is visible after SIGKILL is whole, what was acknowledged is there, and writing goes on."""
    for lines in (0, 1, 2):
        said = [line[0] for line in _kill_after(_start("blobs", tmp_path), lines)]
        blobs = Blobs(tmp_path)
        assert len(said) > lines
        assert all(blobs.has(digest) for digest in said if digest.startswith("sha256:") and len(digest) == 71)
        for path in (tmp_path / "sha256").glob("*/*"):
            digest = f"sha256:{path.parent.name}{path.name}"
            assert digest_of(blobs.get(digest)) == digest
        assert blobs.get(blobs.put(b"after")) == b"after"


def test_killed_writer_of_rows_leaves_nothing_half_written(store: Path) -> None:
    """After SIGKILL each batch of metrics is whole or absent, and each version has its audit entry and run."""
    for lines in (3, 7):
        said = list(_kill_after(_start("rows", store), lines))
        run = said[0][1]
        acknowledged = [int(line[1]) for line in said[1:] if len(line) == 2]
        with Workspace.open(store) as workspace:
            history = workspace.runs.history(run, "loss")
            assert len(history) % 500 == 0
            assert len(history) >= 500 * len(acknowledged)
            versions = [one.version for one in workspace.models.versions("m")]
            assert versions == list(range(1, len(versions) + 1))
            assert set(acknowledged) <= set(versions)
            registered = [one.subject for one in workspace.audit.entries() if one.action == "model.register"]
            assert registered == [f"model/m/{version}" for version in versions]
            workspace.audit.verify()


def test_values_are_written_by_whoever_leaves_without_closing(store: Path) -> None:
    """The end of the interpreter writes what `log` took."""
    _wait(_start("leaves", store))
    with Workspace.open(store) as workspace:
        (run,) = workspace.runs.list(operation="leaves")
        assert len(workspace.runs.history(run.id, "loss")) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_shares_nothing(store: Path) -> None:
    """After a fork both processes write, and neither writes what the other took."""
    _wait(_start("forks", store))
    with Workspace.open(store) as workspace:
        (run,) = workspace.runs.list(operation="forks")
        assert [value for _, value, _ in workspace.runs.history(run.id, "parent")] == [1.0, 2.0]
        assert [value for _, value, _ in workspace.runs.history(run.id, "child")] == [2.0]


def test_open_imports_little(tmp_path: Path) -> None:
    """A workspace that is up to date opens without Alembic, fsspec or numeric packages."""
    Workspace.open(tmp_path / ".luban").close()
    assert _wait(_start("modules", tmp_path / ".luban")) == ["\n"]
