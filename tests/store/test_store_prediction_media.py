"""Pictures and sounds of the prediction log: there while a row names them, gone with the last, whoever is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from luban.core.errors import Conflict, Unavailable
from luban.store import Blobs, Workspace, chunks, media
from luban.store.digests import digest_of
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def asked(request_id: str, content: bytes, subject: str | None = None, moment: datetime = NOON) -> pa.Table:
    """Return one row of the log that names a picture."""
    plain = {
        "request_id": request_id,
        "row": 0,
        "moment": moment,
        "deployment": "bars",
        "model": "bars/1",
        "arm": "champion",
        "latency_ms": 0.5,
        "subject": subject,
        "consent": None,
    }
    schema = pa.schema([*COLUMNS, ("input.image", pa.string()), ("output.prediction", pa.string())])
    return pa.Table.from_pylist([{**plain, "input.image": digest_of(content), "output.prediction": "lies"}], schema)


def keep(workspace: Workspace, request_id: str, content: bytes, subject: str | None = None) -> None:
    workspace.predictions.append(asked(request_id, content, subject), {digest_of(content): content})


def there(workspace: Workspace, content: bytes) -> bool:
    """Return whether the content is in the store; that the log says so, too, is checked."""
    digest = digest_of(content)
    found = workspace.predictions.media.blobs.has(digest)
    assert (digest in workspace.predictions.media.kept([digest])) == found
    return found


def test_content_goes_with_the_last_row_that_names_it(workspace: Workspace) -> None:
    """Of two people who sent the same picture the second keeps it; what a data set holds is another's."""
    shared, own = b"a picture of both", b"a picture of one"
    keep(workspace, "a", shared, "alice")
    keep(workspace, "b", own, "alice")
    keep(workspace, "c", shared, "bob")
    workspace.blobs.put(own)
    assert there(workspace, shared)
    assert workspace.predictions.media.blobs.get(digest_of(own)) == own
    assert workspace.predictions.erase("alice") == 2
    assert (there(workspace, shared), there(workspace, own)) == (True, False)
    assert workspace.blobs.get(digest_of(own)) == own
    workspace.predictions.erase("bob")
    assert not there(workspace, shared)
    with workspace._database.reading() as connection:
        assert connection.execute(media.media.select()).all() == []


def test_the_same_rows_again_are_stored_once_and_merging_loses_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MANY", 4)
    contents = [b"%d" % number for number in range(6)]
    for number, content in enumerate(contents):
        keep(workspace, str(number), content, "alice" if number == 1 else None)
        keep(workspace, str(number), content, "alice" if number == 1 else None)
    assert workspace.predictions.count("bars") >= 6
    assert len(workspace.predictions._chunks.named("bars")) < 6
    assert all(there(workspace, content) for content in contents)
    workspace.predictions.erase("alice")
    assert [there(workspace, content) for content in contents] == [True, False, True, True, True, True]


def test_what_is_old_is_swept_a_little_at_a_time(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    for number in range(5):
        content = b"old %d" % number
        workspace.predictions.append(
            asked(str(number), content, moment=now - timedelta(days=40)), {digest_of(content): content}
        )
    workspace.predictions.append(asked("new", b"new", moment=now), {digest_of(b"new"): b"new"})
    assert workspace.predictions.retain("bars", 30) == 5
    assert [workspace.predictions.media.sweep(2) for _ in range(4)] == [2, 2, 1, 0]
    assert not any(workspace.predictions.media.blobs.has(digest_of(b"old %d" % number)) for number in range(5))
    assert there(workspace, b"new")


def test_a_store_that_does_not_take_content_takes_no_row_and_is_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half there: neither a row without its picture, nor a claim, nor what was written of several."""
    put = type(workspace.blobs).put

    def full(self: object, content: bytes) -> str:
        if content == b"second":
            raise Unavailable("the disk is full, so nothing more was written")
        return put(self, content)  # type: ignore[arg-type]

    table = pa.concat_tables([asked("a", b"first"), asked("b", b"second")])
    contents = {digest_of(one): one for one in (b"first", b"second")}
    with monkeypatch.context() as patch:
        patch.setattr(type(workspace.blobs), "put", full)
        with pytest.raises(Unavailable):
            workspace.predictions.append(table, contents)
    assert workspace.predictions.count("bars") == 0
    workspace.predictions.media.sweep()
    assert not there(workspace, b"first")
    workspace.predictions.append(table, contents)
    assert there(workspace, b"first")
    assert there(workspace, b"second")


def test_a_claim_that_is_too_old_stores_no_row(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sweep took the content of a writer that had stood still, the writer is told and tries again."""
    written = chunks.Chunks._written

    def stood_still(self: chunks.Chunks, deployment: str, rows: pa.Table) -> object:
        with monkeypatch.context() as patch:
            patch.setattr(media, "CLAIMED", timedelta(0))
            workspace.predictions.media.sweep()
        return written(self, deployment, rows)

    with monkeypatch.context() as patch:
        patch.setattr(chunks.Chunks, "_written", stood_still)
        with pytest.raises(Conflict):
            keep(workspace, "a", b"late")
    assert (workspace.predictions.count("bars"), there(workspace, b"late")) == (0, False)
    keep(workspace, "a", b"late")
    assert there(workspace, b"late")


def test_content_that_is_written_after_its_claim_has_ended_goes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that stood still for an hour in the middle of writing: no row names what it wrote then."""
    put = type(workspace.blobs).put

    def late(self: Blobs, content: bytes) -> str:
        if content == b"late":
            with monkeypatch.context() as patch:
                patch.setattr(media, "CLAIMED", timedelta(0))
                workspace.predictions.media.sweep()
        return put(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(type(workspace.blobs), "put", late)
        with pytest.raises(Conflict):
            keep(workspace, "a", b"late")
    assert workspace.predictions.media.blobs.has(digest_of(b"late"))
    workspace.predictions.media.sweep()
    assert not there(workspace, b"late")


def test_what_was_half_written_goes_a_day_later_though_nothing_is_written_any_more(store: Path) -> None:
    """A killed writer leaves part of somebody's picture in a file that nothing names."""
    with Workspace.open(store) as workspace:
        keep(workspace, "a", b"whole")
    half = store / "blobs" / media.PLACE / "incoming" / "half"
    half.write_bytes(b"wh")
    with Workspace.open(store) as workspace:
        workspace.predictions.media.sweep()
        assert half.exists(), "its writer may be at it"
    os.utime(half, times=(0, 0))
    with Workspace.open(store) as workspace:
        workspace.predictions.media.sweep()
        assert not half.exists()
        assert there(workspace, b"whole")


def test_what_a_killed_writer_left_is_swept_when_its_claim_ends(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the content and the row: until its claim ends nobody can know that it is dead."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chunks.Chunks, "_written", killed)
        with pytest.raises(KeyboardInterrupt):
            keep(workspace, "a", b"left")
    store = workspace.predictions.media
    store.sweep()
    assert store.blobs.has(digest_of(b"left"))
    monkeypatch.setattr(media, "CLAIMED", timedelta(seconds=-1))
    store.sweep()
    assert not there(workspace, b"left")


def test_writers_and_erasers_at_once_leave_each_row_its_content(workspace: Workspace) -> None:
    """Several servers keep the same few pictures while they are erased again and again."""
    contents = [b"picture %d" % number for number in range(3)]
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for number in range(8):
                subject = "eve" if number % 2 else None
                keep(workspace, f"{writer}-{number}", contents[number % 3], subject)
        except BaseException as error:  # noqa: BLE001 - told below, by the thread of the test
            failed.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        workspace.predictions.erase("eve")
    for thread in threads:
        thread.join()
    assert failed == []
    workspace.predictions.erase("eve")
    assert workspace.predictions.count("bars") == 12
    named = set(workspace.predictions.read("bars")["input.image"].to_pylist())
    assert named == {digest_of(one) for one in contents}
    assert all(there(workspace, one) for one in contents)


def test_a_kill_takes_nothing_that_was_stored(store: Path) -> None:
    """A process that is killed with SIGKILL while it stores: what it said is stored is there, with its content."""
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_store_prediction_media import Workspace, keep\n"
        "workspace = Workspace.open(sys.argv[1])\n"
        "for number in range(100_000):\n"
        "    keep(workspace, str(number), b'%d' % number)\n"
        "    print(number, flush=True)\n"
    )
    from pathlib import Path

    here = Path(__file__).parent
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store), str(here), str(here.parent)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        process.kill()
        said += process.stdout.readlines()
    numbers = [int(line) for line in said if line.endswith("\n")]
    assert len(numbers) >= 3
    with Workspace.open(store) as workspace:
        ids = set(workspace.predictions.read("bars")["request_id"].to_pylist())
        assert ids >= {str(number) for number in numbers}
        assert all(there(workspace, one.encode()) for one in ids)


def test_an_object_store_keeps_them_and_copies_go(
    tmp_path: Path, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased, the content is in the bucket no more; local copies are where they were asked for and nowhere else."""
    monkeypatch.setenv("LUBAN_BLOBS", s3_bucket)
    monkeypatch.delenv("LUBAN_STORE", raising=False)
    with Workspace.open(tmp_path / ".luban") as workspace:
        keep(workspace, "a", b"far away", "alice")
        place = workspace.predictions.media.at(tmp_path / "copies")
        digest = digest_of(b"far away")
        assert place.local(digest) == place.path(digest)
        assert place.path(digest).read_bytes() == b"far away"
        assert place.path(digest).is_relative_to(tmp_path / "copies")
        assert not list((tmp_path / ".luban").rglob(digest[-62:]))
        killed = workspace.predictions.media.at(tmp_path / ".luban" / "cache" / "asked" / "bars")
        assert killed.local(digest).exists()  # as a killed update leaves it
        workspace.predictions.erase("alice")
        assert not there(workspace, b"far away")
        assert not place.has(digest)
        assert not list((tmp_path / ".luban").rglob(digest[-62:]))
