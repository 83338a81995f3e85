"""A client that costs little, the same for every server: kept-alive sockets in one thread, each asks when answered."""

from __future__ import annotations

import math
import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WARM = 0.5
"""Seconds whose answers do not count."""

_PATIENCE = 30.0


@dataclass(kw_only=True)
class Answers:
    """What clients saw.

    Attributes
    ----------
    seconds : float
        For how long it was counted.
    taken : list of float
        Seconds from the request to the end of its answer, of those that were counted.
    codes : Counter
        Answers by status code; 0 is a connection that ended without one.
    """

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)

    @property
    def failures(self) -> int:
        """How many were not answered with 200."""
        return sum(count for code, count in self.codes.items() if code != 200)

    def figures(self) -> dict[str, float]:
        """Return p50, p99 (milliseconds) and requests a second."""
        milliseconds = 1e3 * np.array(self.taken)
        return {
            "p50_ms": round(float(np.median(milliseconds)), 3),
            "p99_ms": round(float(np.percentile(milliseconds, 99)), 3),
            "requests_per_second": round(len(self.taken) / self.seconds, 1),
        }


class _Client:
    """One client, with one connection at a time."""

    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self.began = 0.0
        self._address = address
        self._selector = selector
        self._got = b""
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=_PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, selectors.EVENT_READ, self)

    def close(self) -> None:
        """Hang up."""
        self._selector.unregister(self._socket)
        self._socket.close()

    def send(self, request: bytes) -> None:
        """Ask."""
        self._got = b""
        self.began = time.perf_counter()
        self._socket.sendall(request)

    def answer(self) -> tuple[int, bytes] | None:
        """Return (status code, body) when all of the answer is there; (0, nothing) where the server has hung up."""
        try:
            part = self._socket.recv(65536)
        except ConnectionError:
            part = b""
        if not part:
            self.close()
            self._connect()
            return 0, b""
        self._got += part
        head, end, body = self._got.partition(b"\r\n\r\n")
        return (int(head[9:12]), body) if end and _whole(head.lower(), body) else None


def _whole(head: bytes, body: bytes) -> bool:
    _, length, rest = head.partition(b"content-length: ")
    if length:
        return len(body) >= int(rest.split(b"\r\n", 1)[0])
    return b"transfer-encoding: chunked" not in head or body.endswith(b"0\r\n\r\n")


def request(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """Return a whole request."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def ask(
    url: str,
    requests: Sequence[bytes],
    clients: int,
    *,
    seconds: float | None = None,
    count: int | None = None,
    warm: float = WARM,
    pace: float | None = None,
    seen: Callable[[float, int, bytes], bool] | None = None,
) -> Answers:
    """Let clients ask for so many seconds, or so many times.

    Parameters
    ----------
    requests : sequence of bytes
        Asked in turn.
    warm : float
        Seconds before anything counts; without it all counts.
    pace : float, optional
        Requests a second of all clients together; without it each asks as soon as it is answered.
    seen : callable, optional
        Is given the moment (`time.perf_counter`), status code and body of each answer; True ends it.
    """
    host, port = url.removeprefix("http://").split(":")
    selector = selectors.DefaultSelector()
    waiting = [_Client((host, int(port)), selector) for _ in range(clients)]
    found, start, sent, busy = Answers(), time.perf_counter(), 0, 0
    begin, end = start + warm, math.inf if seconds is None else start + warm + seconds
    most = math.inf if count is None else count
    with selector:
        while busy or (sent < most and time.perf_counter() < end):
            now = time.perf_counter()
            while waiting and now < end and sent < most and (pace is None or now >= start + sent / pace):
                one = waiting.pop(0)  # the one that has rested longest: a server hangs up on those that say nothing
                one.send(requests[sent % len(requests)])
                sent, busy = sent + 1, busy + 1
            for key, _ in selector.select(_PATIENCE if pace is None else 0.001):
                one = key.data
                told = one.answer()
                if told is None:
                    continue
                now, busy = time.perf_counter(), busy - 1
                waiting.append(one)
                code, body = told
                found.codes[code] += 1
                if one.began >= begin and now <= end:
                    found.taken.append(now - one.began)
                if seen is not None and seen(now, code, body):
                    end = now
        for one in waiting:
            one.close()
    found.seconds = time.perf_counter() - begin if seconds is None else seconds
    return found
