"""The store's own conformance checks, over every database and every place for blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fsspec

from luban.store import Blobs, Workspace
from luban.testing.store import check_blobs, check_workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def test_workspace_conforms_on_every_database(store: Path) -> None:
    """Data sets, runs, models, aliases, deployments, reports, audit: the same on SQLite and PostgreSQL."""
    check_workspace(lambda: Workspace.open(store, actor="ada"))


def test_blobs_conform_in_every_place(open_blobs: Callable[[], Blobs]) -> None:
    """A local folder, memory and S3 keep, find, de-duplicate and verify content alike."""

    def spoil(digest: str) -> None:
        place = open_blobs().location
        files, path = fsspec.core.url_to_fs(place)
        plain = digest.removeprefix("sha256:")
        target = f"{path}/sha256/{plain[:2]}/{plain[2:]}"
        files.rm_file(target)
        files.pipe_file(target, b"something else!")

    check_blobs(open_blobs, spoil)


def test_workspace_keeps_its_blobs_where_the_environment_says(
    store: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LUBAN_BLOBS moves all content to S3, and the folder holds none of it."""
    monkeypatch.setenv("LUBAN_BLOBS", s3_bucket)
    with Workspace.open(store) as workspace:
        digest = workspace.blobs.put(b"far away")
    assert not (store / "blobs").exists()
    with Workspace.open(store) as workspace:
        assert workspace.blobs.get(digest) == b"far away"
