"""Serve: models that answer requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
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
    certificate: Path | None = None,
    key: Path | None = None,
    rate: float | None = None,
    address_rate: float | None = None,
) -> Served:
    """Serve models and deployments over HTTP until interrupted; aliases and deployments that change are followed.

    Parameters
    ----------
    model
        Deployments, or models: NAME, NAME/VERSION or NAME@ALIAS. Without any: all deployments.
    host
        Address to listen on. One that other machines can reach needs a token: luban tokens create.
    port
        Port to listen on; 0 takes a free one.
    certificate, key
        Files in PEM: the certificate (with those that vouch for it) and its private key. They make it HTTPS.
    rate
        Requests a second that one token may make, where it has no rate of its own.
    address_rate
        Requests a second that one address may make.
    """
    from luban.operations.loading import deployed
    from luban.serving.access.gate import Rates
    from luban.serving.access.tls import certificate as checked
    from luban.serving.server import serve as run

    files = checked(certificate, key)
    with deployed(workspace, model) as served:
        answered = run(
            served.models,
            host=host,
            port=port,
            tokens=workspace.tokens,
            rates=Rates(token=rate, address=address_rate),
            certificate=files,
        )
        names = tuple(f"{one.name}/{one.version}" for one in served.models.all())
    return Served(models=names, requests=answered)
