"""The process that answers REST requests, MLflow's clients, and requests to what is deployed."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

from luban.serving.hosts import is_loopback

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

GRACE = 30  # seconds that requests in flight are given
PATIENCE = 30.0  # seconds that a client may take over the head of a request


def serve(
    workspace: Path | str | None,
    *,
    host: str = "127.0.0.1",
    port: int = 8800,
    certificate: Path | None = None,
    key: Path | None = None,
    rate: float | None = None,
    address_rate: float | None = None,
) -> None:
    """Answer REST requests, and requests to deployments by every wire, until interrupted.

    Parameters
    ----------
    certificate, key : Path, optional
        Files in PEM that make it HTTPS.
    rate, address_rate : float, optional
        Requests a second that one token, and one address, may make.

    Raises
    ------
    Refused
        If other machines could reach the address, and there is no token that is good.
    InputError
        If the certificate and the key are not whole, or do not belong together.
    Unavailable
        If the address is taken or does not exist.
    """
    from luban.serving.light import give_back, without_object_stores, without_pandas

    without_pandas()  # which is loaded when an operation needs it; before anything makes an array
    without_object_stores()

    import uvicorn

    from luban.operations.alerts.beside import alerting
    from luban.operations.updating.beside import updating
    from luban.serving.access.gate import Rates, gate_of
    from luban.serving.access.tls import certificate as checked
    from luban.serving.access_log import AccessLog
    from luban.serving.connection import connection
    from luban.serving.priority import turns_are_short
    from luban.serving.server import listen
    from luban.store import Workspace
    from luban.surfaces.rest.application import application
    from luban.surfaces.rest.deployed import DeployedModels, Together

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            deployed.stop()
            await super().shutdown(sockets)

    files = checked(certificate, key)
    with Workspace.open(workspace) as opened, ExitStack() as listening:
        rates = Rates(token=rate, address=address_rate)
        gate = gate_of(opened.tokens, loopback=is_loopback(host), rates=rates)
        gate.check_start(host)
        listener = listening.enter_context(closing(listen(host, port)))
        log = listening.enter_context(closing(AccessLog()))
        deployed = listening.enter_context(DeployedModels(opened, gate, log))
        config = uvicorn.Config(
            Together(application(opened, gate=gate, more=deployed.page), deployed),
            http=connection(PATIENCE, log.write),
            log_level="warning",
            server_header=False,
            proxy_headers=False,  # else whoever is on this machine could give an address as they like
            ssl_certfile=None if files is None else files.certificate,
            ssl_keyfile=None if files is None else files.key,
            timeout_graceful_shutdown=GRACE,
        )
        name = f"[{host}]" if ":" in host else host
        url = f"{'http' if files is None else 'https'}://{name}:{listener.getsockname()[1]}"
        if files is None and not gate.loopback:
            sys.stderr.write("Tokens cross the network as they are; --certificate and --key make it HTTPS.\n")
        sys.stderr.write(f"Luban answers on {url}/ (API page: /docs); Ctrl-C stops it.\n")
        sys.stderr.flush()
        with (
            updating(opened),
            alerting(opened),
            turns_are_short(),
            suppress(KeyboardInterrupt),
        ):  # uvicorn sends it on when it has stopped
            give_back()
            Server(config).run(sockets=[listener])
