"""Between two looks a server sees within a glance that an alias moved, and is not busy with other writes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from served_deployments import load, register

from luban.serving import watch
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def following(tmp_path: Path) -> tuple[Workspace, watch.Watch]:
    workspace = Workspace.open(tmp_path / ".luban", actor="ada")
    if workspace.store != "sqlite":
        pytest.skip("only SQLite tells for nothing whether anything was written")
    register(workspace)
    workspace.models.set_alias("small", "live", 1)
    follows = watch.Watch(workspace, ["small@live"], load)
    follows.begin()
    return workspace, follows


def test_a_moved_alias_ends_the_wait_for_the_next_look(
    following: tuple[Workspace, watch.Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process moves it, here another workspace object; the next look by the clock would be in an hour."""
    workspace, follows = following
    monkeypatch.setattr(watch, "INTERVAL", 3600.0)
    closing, seen = threading.Event(), threading.Event()

    def follow() -> None:
        while not follows.wait(closing):
            follows.look()
            seen.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    with Workspace.open(workspace.root, actor="bob") as other:
        for version in (2, 1, 2):
            seen.clear()
            other.models.set_alias("small", "live", version)
            assert seen.wait(60), "the move was not seen"
            (arms,) = follows.served["small"].values()
            assert arms.champion.model == f"small/{version}"
    closing.set()
    thread.join(60)
    assert not thread.is_alive(), "closing ends the wait"
    workspace.close()


def test_other_writes_leave_the_wait_as_it_is(
    following: tuple[Workspace, watch.Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs, labels and predictions are written all the time; they are no reason to look at what is served."""
    workspace, follows = following
    monkeypatch.setattr(watch, "INTERVAL", 0.1)
    read = []
    head = workspace.audit.head
    monkeypatch.setattr(workspace.audit, "head", lambda: read.append(1) or head())
    follows.wait(threading.Event())  # what was written before
    read.clear()
    assert follows.wait(threading.Event()) is False
    assert read == [], "where nothing was written nothing is asked"
    workspace.runs.start("work", {})
    began = time.monotonic()
    assert follows.wait(threading.Event()) is False
    assert time.monotonic() - began >= 0.1
    assert read == [1]
    workspace.close()
