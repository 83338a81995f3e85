"""A workspace on each kind of database, and blobs in each kind of place."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

import servers
from luban.store import Blobs, Workspace
from luban.store.migrate import FORMS
from luban.store.tables import audit_head, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a real PostgreSQL that this session started."""
    try:
        with servers.postgresql() as url:
            yield url
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def postgresql_tables(postgresql_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database whose tables were made by the migrations."""
    url = _new_database(postgresql_server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUBAN_STORE", url)
        patch.delenv("LUBAN_BLOBS", raising=False)
        Workspace.open(tmp_path_factory.mktemp("tables") / ".luban").close()
    return url


@pytest.fixture
def empty_postgresql(postgresql_server: str) -> str:
    """The URL of a new, empty database."""
    return _new_database(postgresql_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a workspace to open; LUBAN_STORE says where its rows are."""
    monkeypatch.delenv("LUBAN_BLOBS", raising=False)
    monkeypatch.delenv("LUBAN_STORE", raising=False)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_tables")
        _empty(url)  # many times quicker than a new database
        monkeypatch.setenv("LUBAN_STORE", url)
    return tmp_path / ".luban"


@pytest.fixture
def workspace(store: Path) -> Iterator[Workspace]:
    """A new workspace."""
    with Workspace.open(store, actor="ada") as opened:
        yield opened


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a double of S3."""
    try:
        with servers.s3() as address:
            yield address
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket; s3fs finds its server and keys in the environment, as a user's would."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed; pip install 'luban[s3]'")
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"luban-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir(bucket)
    return f"s3://{bucket}/blobs"


@pytest.fixture(params=["folder", "memory", "s3"])
def open_blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Blobs]:
    """Return a function that opens the same place anew each time, as another process would."""
    if request.param == "s3":
        location = request.getfixturevalue("s3_bucket")
    elif request.param == "memory":
        location = f"memory://{uuid.uuid4().hex}"
    else:
        location = str(tmp_path / "blobs")
    return lambda: Blobs(location, cache=tmp_path / "cache")


def _new_database(server: str) -> str:
    import psycopg

    name = f"luban_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server.rsplit('/', 1)[0]}/{name}"


def _empty(url: str) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not audit_head:
                connection.execute(f'DELETE FROM "{table.name}"')
        connection.execute("UPDATE audit_head SET number = 0, hash = repeat('0', 64)")
        connection.execute(f"UPDATE alembic_version SET version_num = '{FORMS[-1]}'")
