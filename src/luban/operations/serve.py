"""Serve: models that answer requests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.operation import operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luban.serving.workers.place import Place
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Served:
    """What was served until the server was stopped."""

    models: tuple[str, ...]
    requests: int


@operation(permission="models:read", long=True, remote=False, lasting=True)
def serve(
    workspace: Workspace,
    model: tuple[str, ...] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    timeout: float = 60.0,
    batch_rows: int = 4096,
    batch_delay: float = 2.0,
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
    workers
        Processes that answer on the port; one that dies is replaced. They count rates and judge canaries together.
    timeout
        Seconds after which a request is given up, with its model's call where that hangs.
    batch_rows
        Rows of waiting requests that a model is given at once, at most.
    batch_delay
        Milliseconds that a request waits for others at most, where computing them together pays.
    certificate, key
        Files in PEM: the certificate (with those that vouch for it) and its private key. They make it HTTPS.
    rate
        Requests a second that one token may make, where it has no rate of its own.
    address_rate
        Requests a second that one address may make.
    """
    given: dict[str, Any] = {
        "model": list(model),
        "host": host,
        "port": port,
        "timeout": timeout,
        "batch_rows": batch_rows,
        "batch_delay": batch_delay,
        "certificate": None if certificate is None else str(certificate),
        "key": None if key is None else str(key),
        "rate": rate,
        "address_rate": address_rate,
    }
    if workers < 1:
        raise InputError("there must be at least one worker", seen=str(workers))
    from luban.serving.light import without_object_stores, without_pandas

    without_pandas()  # before anything makes an array
    without_object_stores()

    from luban.operations.alerts.beside import alerting
    from luban.operations.updating.beside import updating

    with updating(workspace, model), alerting(workspace, model):
        if workers == 1:
            return answer(workspace, **given)
        return _crew(workspace, workers, given)


def answer(
    workspace: Workspace,
    *,
    model: Sequence[str],
    host: str,
    port: int,
    timeout: float,
    batch_rows: int,
    batch_delay: float,
    certificate: str | None,
    key: str | None,
    rate: float | None,
    address_rate: float | None,
    place: Place | None = None,
    started: Callable[[str], None] | None = None,
) -> Served:
    """Serve from this process, as `serve` says; `place` is that of a worker."""
    from luban.operations.loading import deployed
    from luban.operations.taking_labels import taken
    from luban.serving.access.gate import Rates
    from luban.serving.access.tls import certificate as checked
    from luban.serving.limits import Limits
    from luban.serving.server import serve as run

    files = checked(Path(certificate) if certificate else None, Path(key) if key else None)
    limits = Limits(seconds=timeout, rows=batch_rows, delay=batch_delay / 1000)
    with deployed(workspace, model, limits=limits, place=place) as served:
        served.models.feedback = partial(taken, workspace)
        answered = run(
            served.models,
            host=host,
            port=port,
            tokens=workspace.tokens,
            rates=Rates(token=rate, address=address_rate),
            certificate=files,
            place=place,
            started=started,
        )
        names = tuple(f"{one.name}/{one.version}" for one in served.models.all())
    return Served(models=names, requests=answered)


def _crew(workspace: Workspace, workers: int, given: dict[str, Any]) -> Served:
    from luban.operations.serving_worker import command
    from luban.serving.access.gate import gate_of
    from luban.serving.hosts import is_loopback
    from luban.serving.workers.crew import Crew

    gate_of(workspace.tokens, loopback=is_loopback(given["host"])).check_start(given["host"])
    crew = Crew(command(str(workspace.root), workspace.actor, given), workers, given["host"], given["port"])
    answered = crew.run()
    return Served(models=crew.models, requests=answered)
