"""Labels by request id, beside the wires: ``POST /api/feedback``, as `luban server` takes them.

A thread of its own stores them: while the database is away it waits, and requests to models do not.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from luban.core.errors import InputError
from luban.core.serial import to_json
from luban.serving.access.declare import BODY, needs
from luban.serving.access.principal import permit, principal_of
from luban.serving.bodies import declared, header, json_response, parse_object, read_body
from luban.serving.limits import Overloaded
from luban.serving.openapi import described
from luban.serving.wires.schemas import FEEDBACK
from luban.serving.wires.shaped import shaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from luban.serving.models import Models

    Store = Callable[[Mapping[str, Any], str | None], Any]

PATH = "/api/feedback"

WAITING = 16
"""Requests with labels that wait for the database; further ones are asked to come again."""


def feedback_routes(models: Models, store: Store) -> tuple[list[Any], Callable[[], None]]:
    """Return the route, and what ends its thread: labels that are not being stored by then are not stored.

    Parameters
    ----------
    models : Models
        Whose limits hold for the bodies.
    store : callable
        Stores the labels in the object of a request, as this person or program, and returns what the client is told.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="luban-feedback")
    waiting = 0

    async def feedback(request: Request) -> Response:
        nonlocal waiting
        given = await _read(request, models)
        name = given.get("name")
        permit(request.scope, *([name] if isinstance(name, str) else []))
        if waiting >= WAITING:
            raise Overloaded("labels come faster than they are stored", seen=f"{waiting} requests wait", after=5.0)
        waiting += 1
        try:
            actor = principal_of(request.scope).actor
            stored = await asyncio.get_running_loop().run_in_executor(pool, store, given, actor)
        finally:
            waiting -= 1
        return json_response(to_json(stored))

    endpoint = shaped(feedback, lambda error: {"error": error.to_dict()})
    routes = described(FEEDBACK, *needs("write", Route(PATH, endpoint, methods=["POST"]), subject=BODY))
    return routes, partial(pool.shutdown, cancel_futures=True)


async def _read(request: Request, models: Models) -> dict[str, Any]:
    if (header(request.scope, b"content-type") or "").split(";")[0].strip() != "application/json":
        raise InputError("the body must be JSON", remedy="Send Content-Type: application/json.")
    ticket = models.admission.enter(declared(request.scope))
    try:
        body = await read_body(request, models.limits.body, patience=models.limits.patience, ticket=ticket)
    finally:
        ticket.leave()
    return parse_object(body)
