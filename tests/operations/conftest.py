"""What tests of operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace of Ada's."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        yield opened


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits run in this process, which is quicker, and sees what a test puts in the place of a part."""
    from luban.execution.inline import InlineExecutor
    from luban.execution.local import LocalExecutor

    monkeypatch.setattr(LocalExecutor, "of_this_machine", classmethod(lambda cls: InlineExecutor()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BERT in a folder, as transformers writes it."""
    from luban.foundation.backbones import tiny

    made, path = tiny.text(["a good film", "a bad film", "good music", "bad music"]), tmp_path / "bert"
    made.body.network.save_pretrained(path)
    (path / "tokenizer.json").write_bytes(made.prepares.files["tokenizer.json"])
    return path
