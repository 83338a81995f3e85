"""The process that answers REST requests."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from luban.core.errors import Refused
from luban.serving.hosts import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

GRACE = 30  # seconds that requests in flight are given


def serve(workspace: Path | str | None, *, host: str = "127.0.0.1", port: int = 8800) -> None:
    """Answer REST requests until interrupted.

    Raises
    ------
    Refused
        If other machines could reach the address: there is no access control yet.
    Unavailable
        If the address is taken or does not exist.
    """
    import uvicorn

    from luban.serving.server import listen
    from luban.store import Workspace
    from luban.surfaces.rest.application import application

    if not is_loopback(host):
        raise Refused(
            "the REST server listens on this machine only, because it has no access control yet",
            seen=host,
            remedy="Use 127.0.0.1, and a tunnel or a proxy with access control in front of it.",
        )
    listener = listen(host, port)
    name = f"[{host}]" if ":" in host else host
    with closing(listener), Workspace.open(workspace) as opened:
        config = uvicorn.Config(application(opened), log_level="warning", timeout_graceful_shutdown=GRACE)
        url = f"http://{name}:{listener.getsockname()[1]}"
        sys.stderr.write(f"Luban answers on {url}/ (API page: /docs); Ctrl-C stops it.\n")
        with suppress(KeyboardInterrupt):  # uvicorn sends it on when it has stopped
            uvicorn.Server(config).run(sockets=[listener])
