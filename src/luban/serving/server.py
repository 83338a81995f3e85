"""The server: it listens on loopback unless told otherwise, and answers what it has begun before it stops."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from luban.core.errors import Unavailable
from luban.serving.access.gate import Gate, gate_of
from luban.serving.access_log import AccessLog
from luban.serving.app import application
from luban.serving.connection import connection
from luban.serving.hosts import is_loopback
from luban.serving.models import Models
from luban.serving.priority import kept_out_of_collections, turns_are_short
from luban.serving.workers.rates import shared_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from luban.serving.access.gate import Rates
    from luban.serving.access.tls import Certificate
    from luban.serving.limits import Limits
    from luban.serving.runtime import Runtime
    from luban.serving.workers.place import Place
    from luban.store.tokens import Tokens

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    runtimes: Iterable[Runtime] | Models,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    tokens: Tokens | None = None,
    rates: Rates | None = None,
    certificate: Certificate | None = None,
    limits: Limits | None = None,
    grace: float = 30.0,
    access_log: bool = True,
    started: Callable[[str], None] | None = None,
    place: Place | None = None,
) -> int:
    """Answer requests until SIGINT or SIGTERM, and return how many were answered.

    On a signal no new connection is taken; requests in flight are answered, for at most `grace` seconds.

    Parameters
    ----------
    runtimes : iterable of Runtime, or Models
        Models bring their own threads and limits, and are closed by whoever made them.
    host : str
        Address to listen on.
    port : int
        0 takes a free one.
    tokens : luban.store.tokens.Tokens, optional
        Of the workspace: once there are some one is needed, and on an address that others can reach always.
    rates : Rates, optional
        How often somebody may ask.
    certificate : Certificate, optional
        Makes it HTTPS.
    limits : Limits, optional
        How much is taken on at once.
    grace : float
        Seconds.
    access_log : bool
        Whether to write a line of JSON for each request to standard error.
    started : callable, optional
        Called with the URL when connections are taken.
    place : Place, optional
        Of a worker among several processes: its socket is used in place of `host` and `port`.

    Raises
    ------
    Refused
        If others could reach the host, and there is no token that is good.
    Unavailable
        If the address is taken or does not exist.
    """
    gate = gate_of(tokens, loopback=is_loopback(host), rates=rates)
    with (
        _prepared(runtimes, host, port, gate, certificate, limits, grace, access_log, place) as (server, url),
        shared_rates(gate.buckets, place),
    ):
        server.when_started = started
        server.url = url
        with turns_are_short(), kept_out_of_collections():
            server.run(sockets=[server.listener])
        return server.answered


@contextlib.contextmanager
def running(
    runtimes: Iterable[Runtime] | Models,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tokens: Tokens | None = None,
    rates: Rates | None = None,
    certificate: Certificate | None = None,
    limits: Limits | None = None,
    access_log: bool = False,
) -> Iterator[str]:
    """Serve from a thread of this process while the context is open; gives the URL."""
    gate = gate_of(tokens, loopback=is_loopback(host), rates=rates)
    with _prepared(runtimes, host, port, gate, certificate, limits, 10.0, access_log) as (server, url):
        ready = threading.Event()
        server.when_started = lambda _url: ready.set()
        server.url = url
        thread = threading.Thread(target=server.run, kwargs={"sockets": [server.listener]}, name="luban-server")
        thread.start()
        try:
            while not ready.wait(0.05):
                if not thread.is_alive():
                    raise Unavailable("the server did not start", seen=url)
            yield url
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves the process alive when a signal has stopped it."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, models: Models) -> None:
        super().__init__(config)
        self.listener = listener
        self.models = models
        self.url = ""
        self.when_started: Callable[[str], None] | None = None

    @property
    def answered(self) -> int:
        return int(self.config.app.answered)  # type: ignore[union-attr]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.when_started is not None:
            self.when_started(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.models.stopping = True
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


@contextlib.contextmanager
def _prepared(
    runtimes: Iterable[Runtime] | Models,
    host: str,
    port: int,
    gate: Gate,
    certificate: Certificate | None,
    limits: Limits | None,
    grace: float,
    access_log: bool,
    place: Place | None = None,
) -> Iterator[tuple[_Server, str]]:
    gate.check_start(host)
    own = not isinstance(runtimes, Models)
    models = runtimes if isinstance(runtimes, Models) else Models(runtimes, limits=limits)
    listener = listen(host, port) if place is None else place.listener
    log = AccessLog() if access_log else None
    url = address(listener, secure=certificate is not None)
    app = application(
        models, log=log, loopback=is_loopback(host), gate=gate, folder=None if place is None else place.folder
    )
    config = uvicorn.Config(
        app,
        http=connection(models.limits.patience, None if log is None else log.write),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # else whoever is on this machine could give an address as they like
        ssl_certfile=None if certificate is None else certificate.certificate,
        ssl_keyfile=None if certificate is None else certificate.key,
        timeout_graceful_shutdown=max(1, round(grace)),
    )
    if log is not None:
        models.tell = log.write
        log.write("start", url=url, models=[f"{one.name}/{one.version}" for one in models.all()])
        if certificate is None and not is_loopback(host):
            log.write("unencrypted", remedy="Tokens cross the network as they are; give --certificate and --key.")
    server = _Server(config, listener, models)
    try:
        yield server, url
    finally:
        listener.close()
        app.close()
        if own:
            models.close()
        if log is not None:
            log.write("stop", answered=server.answered)
            log.close()


def address(listener: socket.socket, *, secure: bool = False) -> str:
    """Return the URL of a socket that listens."""
    bound, number = listener.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{f'[{bound}]' if ':' in bound else bound}:{number}"


def listen(host: str, port: int, *, share: bool = False) -> socket.socket:
    """Return a socket that listens, or raise `Unavailable` where the address is taken or does not exist.

    With `share` other sockets of this user may listen there too; the kernel shares connections out among them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay (40 ms an answer) off on sockets that name it only.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        raise Unavailable(
            f"cannot listen on {host}, port {port}", seen=str(error), remedy="Choose another port; 0 takes a free one."
        ) from error
    return listener
