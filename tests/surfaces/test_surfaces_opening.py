"""A workspace that is made when it is first used."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.store import Workspace
from luban.surfaces.opening import opened

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
