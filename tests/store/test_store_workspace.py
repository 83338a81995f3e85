"""Where a workspace is found, what may be named in it, and how its blobs are kept."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from luban.core.errors import InputError, Tampered
from luban.store import Blobs, Workspace
from luban.store.names import Reference, parse_reference, valid_name
from luban.store.workspace import find

if TYPE_CHECKING:
    from pathlib import Path


def test_the_nearest_workspace_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git finds its repository; without one it is in the current folder."""
    monkeypatch.delenv("LUBAN_WORKSPACE", raising=False)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    (tmp_path / ".luban").mkdir()
    assert find() == tmp_path / ".luban"
    (tmp_path / "a" / ".luban").mkdir()
    assert find() == tmp_path / "a" / ".luban"
    (deep / ".luban").write_text("a file is no workspace")
    assert find() == tmp_path / "a" / ".luban"
    monkeypatch.setenv("LUBAN_WORKSPACE", str(tmp_path / "elsewhere"))
    assert find() == tmp_path / "elsewhere"
    assert find(tmp_path / "given") == tmp_path / "given"


def test_a_workspace_may_have_any_path(tmp_path: Path) -> None:
    """Characters that mean something in a URL are plain in a path."""
    folder = tmp_path / "a b?c#d%20é汉" / ".luban"
    with Workspace.open(folder) as workspace:
        run = workspace.runs.start("fit", {})
    assert (folder / "luban.db").is_file()
    with Workspace.open(folder) as workspace:
        assert workspace.runs.get(run.id) == run
        assert workspace.scratch(run.id).is_dir()
        with pytest.raises(InputError):
            workspace.scratch("../x")


def test_the_actor_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does something is the one given, else LUBAN_ACTOR, else the user."""
    monkeypatch.setenv("LUBAN_ACTOR", "grace")
    with Workspace.open(tmp_path) as workspace:
        assert workspace.runs.start("fit", {}).actor == "grace"
    with Workspace.open(tmp_path, actor="ada") as workspace:
        assert workspace.runs.start("fit", {}).actor == "ada"
        workspace.audit.append("test", "x")
        assert workspace.audit.entries()[0].actor == "ada"


@given(some.text(max_size=120))
def test_a_name_never_reads_as_something_else(name: str) -> None:
    """Whatever is accepted is one path component, no option, no reference, and stays itself."""
    try:
        accepted = valid_name("model", name)
    except InputError:
        return
    assert valid_name("model", accepted) == accepted
    assert not set(accepted) & set('/\\@ \n\t\0:*?"<>|$`;&')
    assert accepted not in (".", "..")
    assert accepted[0] not in ".-"
    assert parse_reference("model", accepted) == Reference(name=accepted)
    assert parse_reference("model", f"{accepted}/7") == Reference(name=accepted, version=7)
    assert parse_reference("model", f"{accepted}@now") == Reference(name=accepted, alias="now")


@pytest.mark.parametrize("reference", ["m/", "m/0", "m/-1", "m/1.5", "m/01", "m/x", "m@", "m@a/1", "m/1@a", "/1", "@a"])
def test_a_reference_of_nonsense_is_refused(reference: str) -> None:
    """A reference is a name, with a version or an alias."""
    with pytest.raises(InputError):
        parse_reference("model", reference)


@pytest.mark.parametrize("place", [0, 1, 499_999, 999_999])
def test_any_changed_byte_is_refused(tmp_path: Path, place: int) -> None:
    """One flipped bit anywhere in a stored file is found; storing the content again repairs it."""
    content = os.urandom(1_000_000)
    blobs = Blobs(tmp_path)
    digest = blobs.put(content)
    path = blobs.local(digest)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes([content[place] ^ 1]))
    with pytest.raises(Tampered, match="not what was stored"):
        blobs.get(digest)
    with pytest.raises(Tampered):
        blobs.local(digest)
    assert blobs.put(content) == digest
    assert blobs.get(digest) == content


def test_a_spoilt_copy_of_remote_content_is_fetched_again(s3_bucket: str, tmp_path: Path) -> None:
    """Local copies are verified too, and made anew where they do not fit."""
    blobs = Blobs(s3_bucket, cache=tmp_path)
    digest = blobs.put(b"content")
    copy = blobs.local(digest)
    copy.chmod(0o644)
    copy.write_bytes(b"CONTENT")
    assert blobs.local(digest).read_bytes() == b"content"


def test_blobs_are_write_once_and_stored_once(tmp_path: Path) -> None:
    """A blob is read-only, and the same content is not written again."""
    blobs = Blobs(tmp_path)
    path = blobs.local(blobs.put(b"content"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    before = path.stat()
    blobs.put(b"content")
    source = tmp_path / "source"
    source.write_bytes(b"content")
    blobs.put_file(source)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_debris_of_a_killed_writer_is_removed_in_time(tmp_path: Path) -> None:
    """What lies in `incoming` for more than a day goes; what someone is writing now stays."""
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    old, young = incoming / "old", incoming / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    Blobs(tmp_path).put(b"content")
    assert [path.name for path in incoming.iterdir()] == ["young"]
