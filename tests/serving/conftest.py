"""Servers that tests talk to over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from served_small_models import server_process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the URL of a running server of the small models."""
    with server_process() as (process, url):
        # Nobody reads its log here; a full pipe must not stop a server.
        yield url
        process.terminate()


@pytest.fixture
def client(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=180) as client:
        yield client
