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
    model: tuple[str, ...] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    expose: bool = False,
) -> Served:
    """Serve models and deployments over HTTP until interrupted; aliases and deployments that change are followed.

    Parameters
    ----------
    model
        Deployments, or models: NAME, NAME/VERSION or NAME@ALIAS. Without any: all deployments.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    expose
        Allow an address that other machines can reach. There is no access control yet.
    """
    from luban.operations.loading import deployed
    from luban.serving.server import serve as run

    with deployed(workspace, model) as served:
        answered = run(served.models, host=host, port=port, expose=expose)
        names = tuple(f"{one.name}/{one.version}" for one in served.models.all())
    return Served(models=names, requests=answered)
