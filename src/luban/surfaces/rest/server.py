"""The process that answers REST requests."""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING

from luban.core.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


def serve(workspace: Path | str | None, *, host: str = "127.0.0.1", port: int = 8800) -> None:
    """Answer REST requests until interrupted.

    Raises
    ------
    Refused
        If other machines could reach the address: there is no access control yet.
    """
    import uvicorn

    from luban.store import Workspace
    from luban.surfaces.rest.application import application

    if not is_loopback(host):
        raise Refused(
            "the REST server listens on this machine only, because it has no access control yet",
            seen=host,
            remedy="Use 127.0.0.1, and a tunnel or a proxy with access control in front of it.",
        )
    with Workspace.open(workspace) as opened:
        config = uvicorn.Config(application(opened), host=host, port=port, log_level="warning")
        server = uvicorn.Server(config)
        sys.stderr.write(f"Luban answers on http://{host}:{port}/ (API page: /docs); Ctrl-C stops it.\n")
        server.run()


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
