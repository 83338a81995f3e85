"""Each way in which a URL cannot be read is told by its cause; what can be read is read as a file is."""

from __future__ import annotations

import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luban.core.errors import InputError, LubanError, MissingExtra, NotFound, Refused, Unavailable
from luban.data import read

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b"a,b\n1,x\n2,y\n"


class Answers(BaseHTTPRequestHandler):
    """Answers with the code that the path begins with; 900 declares more than it sends."""

    def do_GET(self) -> None:
        code = int(re.split(r"\D", self.path[1:])[0])
        body = PARQUET if ".parquet" in self.path else BODY
        self.send_response(200 if code in (200, 900) else code)
        self.send_header("content-length", str(len(body) + (10_000_000 if code == 900 else 0)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), sink)
    return bytes(sink.getvalue())


PARQUET = _parquet()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.mark.parametrize("name", ["200.csv", "200.csv?raw=true", "200.parquet"])
def test_a_url_is_read_as_a_file_is(server: str, name: str) -> None:
    pytest.importorskip("aiohttp")
    assert read.table(f"{server}/{name}").to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("404.csv", NotFound, "there is nothing at"),
        ("403.csv", Refused, "it answers 403"),
        ("401.parquet", Refused, "needs no login"),
        ("503.csv", Unavailable, "try again later"),
        ("900.csv", Unavailable, "cannot be reached"),
        ("200", InputError, "does not say what it leads to"),
    ],
)
def test_what_a_server_answers_is_told(server: str, path: str, kind: type[LubanError], words: str) -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(kind) as told:
        read.table(f"{server}/{path}")
    assert words in str(told.value).lower()
    assert "rights" not in str(told.value)


def test_a_server_that_is_away_a_host_that_is_not_known_and_a_broken_handshake(server: str) -> None:
    pytest.importorskip("aiohttp")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match="cannot be reached") as away:
        read.table(f"http://ann:secret@127.0.0.1:{port}/a.csv")
    assert "secret" not in str(away.value), "an error may end up in a log"
    with pytest.raises(Unavailable, match="no computer of that name"):
        read.table("https://no-such-host.invalid/a.csv")
    with pytest.raises(Unavailable, match="no safe connection"):
        read.table(server.replace("http:", "https:") + "/200.csv")


def test_a_scheme_without_its_package_and_one_that_does_not_exist() -> None:
    with pytest.raises(InputError, match="no way to read"):
        read.table("nonsense://bucket/a.csv")
    from fsspec.registry import known_implementations

    known_implementations["luban-test"] = {"class": "no_such_package.Files", "err": "Install it"}
    with pytest.raises(MissingExtra, match="Install it"):
        read.table("luban-test://bucket/a.csv")
