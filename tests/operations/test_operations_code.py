"""What is recorded of the code that a model was made with: real git repositories, and git that fails."""

from __future__ import annotations

import io
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from luban.core.errors import NotFound
from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.task import Task
from luban.operations import code as codes
from luban.operations.models.show import models_show
from luban.operations.origin import Origin
from luban.operations.registering import register
from luban.store import Blobs, Workspace
from luban.surfaces.render import looks

if TYPE_CHECKING:
    from pathlib import Path

LONG = 180.0  # seconds that git takes on no machine, unless it hangs


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit of one file, whose own settings name no user."""
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LUBAN_CODE", raising=False)
    folder = tmp_path / "code"
    (folder / "inside").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call waits for git as long as it takes: on a busy machine that may be longer than a call would wait."""
    monkeypatch.setattr("luban.operations.origin.SECONDS", LONG)
    monkeypatch.setattr("luban.operations.origin._SOON", LONG)
    monkeypatch.setattr("luban.operations.origin._LAST", LONG)


def code(folder: Path, **more: Any) -> codes.Code:
    """Return what is recorded of a folder, however long git takes."""
    return codes.code(str(folder), **{"seconds": LONG, **more})


def git(folder: Path, *arguments: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_clean_repository_is_its_commit(repository: Path) -> None:
    """From any folder in it; a password in the address of its origin is left out."""
    git(repository, "remote", "add", "origin", "https://ada:secret@example.org/code.git")
    found = code(repository / "inside")
    assert (found.state, found.commit, found.diff, found.untracked) == (
        "clean",
        git(repository, "rev-parse", "HEAD"),
        None,
        (),
    )
    assert found.repository == "https://example.org/code.git"


def test_changes_can_be_applied_again(repository: Path, tmp_path: Path) -> None:
    """Staged, unstaged and binary changes make one diff, which git applies to the commit; new files are named."""
    (repository / "train.py").write_text("print(2)\n")
    (repository / "data.bin").write_bytes(bytes(range(256)))
    git(repository, "add", "data.bin")
    (repository / "note 数.txt").write_text("new")
    found = code(repository)
    assert (found.state, found.untracked) == ("changed", ("note 数.txt",))
    assert found.diff is not None
    again = tmp_path / "again"
    git(tmp_path, "clone", "-q", str(repository), str(again))
    (tmp_path / "diff").write_bytes(found.diff)
    git(again, "apply", str(tmp_path / "diff"))
    assert (again / "train.py").read_text() == "print(2)\n"
    assert (again / "data.bin").read_bytes() == bytes(range(256))


def test_what_is_no_repository_has_a_word_of_its_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Outside of a repository, before the first commit, without git, and where nobody wants to be asked."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    plain = tmp_path / "plain"
    plain.mkdir()
    assert code(plain).state == "no repository"
    git(plain, "init", "-q")
    assert code(plain).state == "no commit yet"
    monkeypatch.setenv("LUBAN_CODE", "off")
    assert code(repository) == codes.Code(state="not asked")
    monkeypatch.setenv("LUBAN_CODE", "commit")
    (repository / "train.py").write_text("password = 'x'")
    found = code(repository)
    assert (found.state, found.diff, found.commit is None) == ("not asked", None, False)
    monkeypatch.delenv("LUBAN_CODE")
    monkeypatch.setenv("PATH", str(plain))
    assert code(repository).state == "no git"


def test_git_that_hangs_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After the seconds it was given; a fit goes on meanwhile and records that nothing is known."""
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 280\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    began = time.monotonic()
    assert code(repository, seconds=0.3).state == "timed out"
    monkeypatch.setattr("luban.operations.origin.SECONDS", 0.5)
    monkeypatch.chdir(repository)
    origin = Origin()
    assert origin.of_run()["code"] is None
    kept = origin.keep(blobs := Blobs(tmp_path / "blobs"))
    assert blobs.get_json(kept["code"])["state"] == "timed out"
    assert time.monotonic() - began < 200, "a hanging git must not be waited for to its end"


@pytest.mark.usefixtures("patient")
def test_a_commit_is_known_before_changes_are(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where looking for changes takes longer than there is time the commit is recorded all the same."""
    monkeypatch.setattr(codes, "_changes", lambda *_: (_ for _ in ()).throw(subprocess.TimeoutExpired("git", 1)))
    monkeypatch.chdir(repository)
    blobs = Blobs(tmp_path / "blobs")
    told = blobs.get_json(Origin().keep(blobs)["code"])
    assert (told["state"], told["commit"]) == ("timed out", git(repository, "rev-parse", "HEAD"))
    heard: list[codes.Code] = []
    code(repository, early=heard.append)
    assert [one.commit for one in heard] == [told["commit"]]


def test_changes_that_are_too_large_are_left_out_and_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gigabyte of changes is neither read to its end nor kept."""
    monkeypatch.setattr(codes, "LARGEST", 1000)
    (repository / "train.py").write_text("x = 1\n" * 1000)
    found = code(repository)
    assert (found.state, found.diff) == ("changed", None)
    assert "larger than" in found.note


def test_programs_that_a_repository_names_are_not_run(repository: Path, tmp_path: Path) -> None:
    """A repository from a stranger may name programs for git to run: an external diff, a text converter, a monitor."""
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    trap.chmod(0o755)
    for key in ("diff.external", "diff.mark.textconv", "diff.mark.command", "core.fsmonitor"):
        git(repository, "config", key, str(trap))
    (repository / ".gitattributes").write_text("*.py diff=mark\n")
    (repository / "train.py").write_text("print(3)\n")
    found = code(repository)
    assert b"print(3)" in (found.diff or b"")
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("patient")
def test_an_origin_keeps_its_changes_as_content(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The state is that of the beginning of a call, whatever is written afterwards; equal states are one blob."""
    monkeypatch.chdir(repository)
    (repository / "train.py").write_text("print(2)\n")
    origin = Origin()
    brief = origin.of_run()
    assert brief["code"] == {"commit": git(repository, "rev-parse", "HEAD"), "changed": True}
    (repository / "train.py").write_text("print(3)\n")
    blobs = Blobs(tmp_path / "blobs")
    kept = origin.keep(blobs)
    told = blobs.get_json(kept["code"])
    assert b"print(2)" in blobs.get(told["diff"])
    packages = blobs.get_json(kept["environment"])["packages"]
    assert packages["numpy"]
    assert "code" not in blobs.get_json(kept["environment"])
    assert origin.keep(blobs) == kept


@pytest.mark.long
@pytest.mark.usefixtures("patient")
def test_changes_are_shown_and_written_as_they_were(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To the byte where a program reads them; a terminal gets nothing that moves its cursor; no change is an error."""
    monkeypatch.chdir(repository)
    with Workspace.open(tmp_path / ".luban") as workspace:
        kept = {"artifact": workspace.blobs.put_json({}), "signature": SIGNATURE, "task": TASK}
        register(workspace, Origin(), name="clean", **kept)
        with pytest.raises(NotFound, match="no changes of the code"):
            models_show(workspace, "clean", diff=True)
        (repository / "train.py").write_text("if 1:\n\tprint('\x1b[2J é')\n")
        register(workspace, Origin(), name="changed", **kept)
        shown = models_show(workspace, "changed", diff=True)
        (tmp_path / "patch").write_text(told(shown, terminal=False))
        assert "\x1b[2J" not in told(shown, terminal=True)
        assert "print('" in told(shown, terminal=True)
        content = (repository / "train.py").read_bytes()
        (repository / "train.py").write_bytes(b"print(3)  # \xe9\n")
        register(workspace, Origin(), name="latin", **kept)
        found = models_show(workspace, "latin", diff=True)
        assert "UTF-8" in found.trouble[-1]
    again = tmp_path / "again"
    git(tmp_path, "clone", "-q", str(repository), str(again))
    git(again, "apply", str(tmp_path / "patch"))
    assert (again / "train.py").read_bytes() == content


SIGNATURE = Signature(inputs=(Column(name="a", kind="number"),), outputs=(Column(name="prediction", kind="number"),))
TASK = Task(kind="regression", target="y", inputs=("a",), metric="rmse")


def told(result: Any, *, terminal: bool) -> str:
    """Return what a console gets."""
    stream = io.StringIO()
    looks.show(result, Console(file=stream, force_terminal=terminal, width=100))
    return stream.getvalue()
