"""What tests of operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BERT in a folder, as transformers writes it."""
    from luban.foundation.backbones import tiny

    made, path = tiny.text(["a good film", "a bad film", "good music", "bad music"]), tmp_path / "bert"
    made.body.network.save_pretrained(path)
    (path / "tokenizer.json").write_bytes(made.prepares.files["tokenizer.json"])
    return path
