"""An application that is served for a test: from a thread, on a free port of this machine, as a server listens."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from luban.serving.server import address, listen

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(app: Any) -> Iterator[str]:
    """Serve an ASGI application while the context is open, and give its URL."""
    with closing(listen("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", proxy_headers=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join()
