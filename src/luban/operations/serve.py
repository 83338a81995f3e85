"""Serve: models that answer requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Served:
    """What was served until the server was stopped."""

    models: tuple[str, ...]
    requests: int


@operation(permission="models:read", long=True, remote=False)
def serve(
    workspace: Workspace,
    model: tuple[str, ...],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    expose: bool = False,
) -> Served:
    """Serve registered models over HTTP until interrupted (Open Inference Protocol v2).

    Parameters
    ----------
    model
        The models: NAME, NAME/VERSION or NAME@ALIAS.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    expose
        Allow an address that other machines can reach. There is no access control yet.
    """
    from luban.operations.loading import runtime
    from luban.serving.server import serve as run

    runtimes = [runtime(workspace, reference) for reference in model]
    answered = run(runtimes, host=host, port=port, expose=expose)
    return Served(models=tuple(f"{one.name}/{one.version}" for one in runtimes), requests=answered)
