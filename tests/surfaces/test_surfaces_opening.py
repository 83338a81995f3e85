"""A workspace that is made when it is first used."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from luban.core import plugins
from luban.core.errors import NotFound
from luban.store import Workspace
from luban.surfaces.call import call
from luban.surfaces.opening import opened

if TYPE_CHECKING:
    from pathlib import Path


def test_threads_that_use_it_first_at_once_open_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server looks at its policies in a thread while it looks for its models: one of them makes the workspace."""
    opening: list[Any] = []
    real = Workspace.open

    def slowly(*arguments: Any, **more: Any) -> Workspace:
        opening.append(arguments)
        time.sleep(0.05)
        return real(*arguments, **more)

    monkeypatch.delenv("LUBAN_STORE", raising=False)
    monkeypatch.setattr(Workspace, "open", slowly)
    found: list[Any] = []
    with opened(tmp_path / "none", plugins.load("operations", "serve")) as workspace:
        threads = [threading.Thread(target=lambda: found.append(workspace.models.list())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(opening) == 1
    assert found == [[], [], []]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("models promote", {"model": "house/2"}),
        ("models show", {"model": "house"}),
        ("deploy", {"name": "shop", "model": "house"}),
        ("data split", {"data": "house"}),
        ("tokens revoke", {"token": "ada"}),
    ],
)
def test_a_name_that_cannot_be_there_leaves_no_workspace_and_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, arguments: dict[str, str]
) -> None:
    """Who is in a wrong folder learns that; and no later command finds a workspace that was never begun."""
    monkeypatch.delenv("LUBAN_STORE", raising=False)
    operation = plugins.load("operations", verb)
    words = r"There is no .* yet\. Name the workspace that has it"
    with pytest.raises(NotFound, match=words) as told, opened(tmp_path / "none", operation) as workspace:
        call(operation, workspace, arguments)
    assert told.value.seen == f"there is no workspace at {tmp_path / 'none'}"
    assert not (tmp_path / "none").exists()


def test_in_a_workspace_a_name_is_looked_for_without_that(tmp_path: Path) -> None:
    operation = plugins.load("operations", "models show")
    Workspace.open(tmp_path / "place").close()
    with pytest.raises(NotFound) as told, opened(tmp_path / "place", operation) as workspace:
        call(operation, workspace, {"model": "house"})
    assert told.value.remedy == "There is no model yet."
