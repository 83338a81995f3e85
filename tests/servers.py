"""Real servers for tests, on loopback, started by the test session and stopped with it."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER = "luban"


class NotInstalled(Exception):
    """The programs of a server are not on this machine."""


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on.

    It is none of those that the system gives to whoever asks for any, or connects somewhere: such a one may be taken
    before a server listens on it, or while that is stopped.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _postgresql_programs() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise NotInstalled("PostgreSQL is not installed; on Debian: apt-get install postgresql")


def _as_plain_user() -> list[str]:
    """Return what to put before a command, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise NotInstalled("PostgreSQL refuses to run as root, and there is no setpriv to become another user")
    return [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL in a temporary folder and give its URL; raise `NotInstalled` where there is none."""
    with stoppable_postgresql() as server:
        yield server.url


@dataclass(frozen=True)
class Stoppable:
    """A PostgreSQL that a test may stop and start again."""

    url: str
    stop: Callable[[], None]
    start: Callable[[], None]


@contextmanager
def stoppable_postgresql() -> Iterator[Stoppable]:
    """Start a PostgreSQL in a temporary folder; raise `NotInstalled` where there is none."""
    programs, plain = _postgresql_programs(), _as_plain_user()
    # A short path, since that of a socket has at most 107 bytes, and one that another user may enter.
    home = Path(tempfile.mkdtemp(prefix="luban-pg-", dir="/tmp" if Path("/tmp").is_dir() else None))
    if plain:
        os.chown(home, 65534, 65534)
    cluster, port = home / "cluster", free_port()

    def call(*command: str) -> None:
        done = subprocess.run([*plain, *command], capture_output=True, text=True, cwd=home, check=False, timeout=120)
        if done.returncode:
            log = home / "log"
            seen = log.read_text() if log.exists() else ""
            raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}{seen}")

    # No fsync: a test proves what transactions do, not what the disk does. On loopback only; the socket in our folder.
    options = (
        f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} "
        "-c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB"
    )
    try:
        call(str(programs / "initdb"), "-D", str(cluster), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        control = [str(programs / "pg_ctl"), "-D", str(cluster), "-w"]

        def start() -> None:
            call(*control, "-l", str(home / "log"), "-o", options, "start")

        def stop() -> None:
            call(*control, "-m", "immediate", "stop")

        start()
        try:
            yield Stoppable(f"postgresql://{USER}@127.0.0.1:{port}/postgres", stop, start)
        finally:
            if (cluster / "postmaster.pid").exists():
                stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def s3() -> Iterator[str]:
    """Start a double of S3 (moto's server) and give its address; raise `NotInstalled` where moto is missing."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        raise NotInstalled("moto's server is not installed; pip install 'moto[server]'") from error
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a real file system of a size, such as "2m", in a new folder; raise `NotInstalled` where that cannot be."""
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        raise NotInstalled("only root can mount a small file system")
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode:
        raise NotInstalled("this machine does not let a small file system be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
