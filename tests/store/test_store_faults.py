"""What a disk or a database can do to a workspace: each is one clear error, and nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

import servers
from luban.core.errors import Conflict, InputError, NotFound, Refused, Tampered, Unavailable, Unsupported
from luban.store import Blobs, Workspace, database

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB."""
    try:
        with servers.small_disk(tmp_path / "small", "2m") as folder:
            yield folder
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


@contextmanager
def _plain_user() -> Iterator[None]:
    """Be someone whom permissions stop, where root runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_full_disk(small_disk: Path) -> None:
    """On a real full disk blobs and rows say so, leave no debris, and go on when there is room."""
    with Workspace.open(small_disk / ".luban") as workspace:
        run = workspace.runs.start("fit", {})
        kept = workspace.blobs.put(b"x" * 100_000)
        with pytest.raises(Unavailable, match="full"):
            workspace.blobs.put(os.urandom(4_000_000))
        assert list((small_disk / ".luban" / "blobs" / "incoming").iterdir()) == []
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free)
        with pytest.raises(Unavailable, match="full") as told:
            workspace.runs.log_many(run.id, [("loss", step, 0.5) for step in range(50_000)])
        assert told.value.exit_code == 2
        ballast.unlink()
        assert workspace.runs.history(run.id, "loss") == []
        workspace.runs.log_many(run.id, [("loss", 1, 0.5)])
        assert len(workspace.runs.history(run.id, "loss")) == 1
        assert workspace.blobs.get(kept) == b"x" * 100_000


def test_disk_that_is_full_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bringing a blob to the disk fails it is not there, and nothing is left of it."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    blobs = Blobs(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Unavailable, match="full"):
            blobs.put(b"content")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert blobs.get(blobs.put(b"content")) == b"content"


def test_full_database(tmp_path: Path) -> None:
    """Where SQLite reaches its limit a batch of metrics is refused whole."""
    with Workspace.open(tmp_path / ".luban") as workspace:
        run = workspace.runs.start("fit", {})
        with workspace._database.reading() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count={pages + 3}"))
        with pytest.raises(Unavailable, match="full"):
            workspace.runs.log_many(run.id, [("loss", step, 0.5) for step in range(50_000)])
        assert workspace.runs.history(run.id, "loss") == []


def test_folder_that_cannot_be_made(open_folder: Path) -> None:
    """No workspace can be made where the user may not write; nothing is written."""
    with _plain_user(), pytest.raises(Refused, match="cannot be written") as told:
        Workspace.open(open_folder / ".luban")
    assert str(open_folder) in str(told.value)
    assert list(open_folder.iterdir()) == []


def test_read_only_workspace(open_folder: Path) -> None:
    """A workspace that cannot be written can be read, and refuses every write."""
    with Workspace.open(open_folder / ".luban") as workspace:
        digest = workspace.blobs.put(b"content")
        run = workspace.runs.start("fit", {})
        workspace.runs.log(run.id, {"loss": 0.5})
    for path in sorted((open_folder / ".luban").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (open_folder / ".luban").chmod(0o555)
    before = {path: path.stat().st_mtime_ns for path in open_folder.rglob("*")}
    with _plain_user(), Workspace.open(open_folder / ".luban") as workspace:
        assert workspace.blobs.get(digest) == b"content"
        assert workspace.runs.get(run.id).scores == {"loss": 0.5}
        for write in (
            lambda: workspace.runs.start("fit", {}),
            lambda: workspace.blobs.put(b"more"),
            lambda: workspace.scratch(run.id),
            lambda: workspace.audit.append("test", "x"),
            lambda: workspace.runs.log_many(run.id, [("loss", 1, 0.4)]),
        ):
            with pytest.raises(Refused, match="cannot be written"):
                write()
    assert {path: path.stat().st_mtime_ns for path in open_folder.rglob("*")} == before
    (open_folder / ".luban").chmod(0o755)


def test_database_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is named in the error, its password is not."""
    pytest.importorskip("psycopg")
    monkeypatch.setenv("LUBAN_STORE", f"postgresql://ada:secret@127.0.0.1:{servers.free_port()}/luban")
    with pytest.raises(Unavailable, match="does not answer") as told:
        Workspace.open(tmp_path / ".luban")
    assert "127.0.0.1" in str(told.value)
    assert "secret" not in str(told.value)
    assert not (tmp_path / ".luban").exists(), "what cannot be opened must not be found by later commands"


def test_database_that_does_not_exist(postgresql_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the database named says so."""
    monkeypatch.setenv("LUBAN_STORE", postgresql_server.replace("/postgres", "/nosuch"))
    with pytest.raises(Unavailable, match="nosuch"):
        Workspace.open(tmp_path / ".luban")


def test_connections_that_a_server_dropped_are_made_anew(
    empty_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the server ended every session, as at a restart, work goes on."""
    import psycopg

    monkeypatch.setenv("LUBAN_STORE", empty_postgresql)
    with Workspace.open(tmp_path / ".luban") as workspace:
        run = workspace.runs.start("fit", {})
        with psycopg.connect(empty_postgresql, autocommit=True) as other:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=current_database() "
            other.execute(others + "AND pid <> pg_backend_pid()")
        assert workspace.runs.get(run.id) == run


def test_a_session_that_a_server_ends_within_a_transaction_is_told(
    empty_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server that is restarted does: whoever writes then is told that it is away, and nothing of it lasts."""
    import psycopg

    monkeypatch.setenv("LUBAN_STORE", empty_postgresql)
    with Workspace.open(tmp_path / ".luban") as workspace:

        def cut_off() -> None:
            with workspace._database.writing() as connection:
                connection.execute(text("DELETE FROM alembic_version"))
                mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
                with psycopg.connect(empty_postgresql, autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s, 60000)", [mine])
                connection.execute(text("SELECT 1"))

        with pytest.raises(Unavailable, match="does not answer"):
            cut_off()
        with workspace._database.reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_values_wait_while_the_database_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `log` took while nobody could write is not lost; `flush` says why, and writes it later."""
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    with Workspace.open(tmp_path / ".luban") as workspace:
        run = workspace.runs.start("fit", {})
        hog = sqlite3.connect(tmp_path / ".luban" / "luban.db", isolation_level=None)
        hog.execute("BEGIN IMMEDIATE")
        for step in range(10):
            workspace.runs.log(run.id, {"loss": float(step)}, step=step)
        with pytest.raises(Unavailable, match="busy"):
            workspace.runs.flush()
        hog.execute("ROLLBACK")
        hog.close()
        assert [value for _, value, _ in workspace.runs.history(run.id, "loss")] == [float(step) for step in range(10)]


def test_tables_of_a_newer_version_are_left_alone(store: Path) -> None:
    """An older Luban refuses a newer workspace, and says to update."""
    with Workspace.open(store) as workspace, workspace._database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match=r"newer version.*9999.*Update"):
        Workspace.open(store)


def test_damaged_database(tmp_path: Path) -> None:
    """A file that is no database is told apart from an empty one."""
    folder = tmp_path / ".luban"
    folder.mkdir()
    (folder / "luban.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(Tampered, match="damaged"):
        Workspace.open(folder)


@pytest.mark.parametrize(
    ("address", "error"),
    [("nonsense", InputError), ("mysql://host/db", Unsupported), ("sqlite://", Unsupported)],
)
def test_store_address_of_nonsense(
    address: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LUBAN_STORE is read strictly."""
    monkeypatch.setenv("LUBAN_STORE", address)
    with pytest.raises(error, match=r"postgresql://"):
        Workspace.open(tmp_path / ".luban")


def test_blobs_address_of_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LUBAN_BLOBS that no file system answers to is an error at once."""
    monkeypatch.setenv("LUBAN_BLOBS", "nosuch://bucket")
    with pytest.raises(Unavailable, match="nosuch"):
        Workspace.open(tmp_path / ".luban")


def test_bucket_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store that does not answer is one clear error."""
    s3fs = pytest.importorskip("s3fs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{servers.free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    blobs = Blobs("s3://bucket/blobs", cache=tmp_path, config_kwargs={"retries": {"max_attempts": 0}})
    with pytest.raises(Unavailable, match="does not answer"):
        blobs.put(b"content")


def test_missing_workspace(tmp_path: Path) -> None:
    """Without `create` a workspace that is not there is not made."""
    with pytest.raises(NotFound, match="no workspace"):
        Workspace.open(tmp_path / ".luban", create=False)
    assert list(tmp_path.iterdir()) == []


def test_workspace_that_is_a_file(tmp_path: Path) -> None:
    """A file in the place of the folder is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must be a folder"):
        Workspace.open(tmp_path / "file")
