"""The one way of a request: it is admitted, read, computed within its deadline, observed, and written.

The event loop computes one row of a quick model itself, since handing it over would take longer; all else is
computed in the model's lane (`luban.serving.lanes`). Large bodies are read and written by threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from luban.serving.bodies import declared, read_body
from luban.serving.missing import missing_told
from luban.serving.observe import served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from luban.serving.models import Models
    from luban.serving.routed import Routed
    from luban.serving.runtime import Missing

SMALL_BODY = 16 * 1024
"""Bytes up to which the event loop reads a body itself, which takes a fraction of a millisecond."""

FEW_ROWS = 64
"""Rows up to which the event loop writes an answer itself."""


class Asked(Protocol):
    """A request that was read and checked."""

    @property
    def rows(self) -> int:
        """How many rows it asks for."""

    @property
    def data(self) -> Any:
        """One row as a mapping, or rows as a sequence of mappings or a table."""

    @property
    def missing(self) -> Missing:
        """Whether a column that is not there is an error, or missing."""


Wanted = TypeVar("Wanted", bound=Asked)


async def answered(
    request: Request,
    models: Models,
    routed: Routed,
    read: Callable[[Routed, bytes], Wanted],
    write: Callable[[Routed, Wanted, Any], Response],
    compute: Callable[[Routed, Wanted], Awaitable[Any]] | None = None,
    *,
    fill: str | None = None,
) -> Response:
    """Return the answer to a request.

    Parameters
    ----------
    request : Request
        Its body has not been read.
    models : Models
    routed : Routed
        What answers, as `Models.routed` gives it.
    read, write : callable
        The wire's two halves: from a body to what is asked; and from what is asked and its answer (of a mapping what
        `Runtime.predict_row` returns, of rows an `Answer`) to the response.
    compute : callable, optional
        Where something else than predictions is asked for.
    fill : str, optional
        What a request of this protocol has in it for columns that are not there to be taken as missing.

    Raises
    ------
    LubanError
        With the status that the client is to be told.
    """
    served(request.scope, routed.name, routed.version)
    ticket = models.admission.enter(declared(request.scope))
    try:
        limits = models.limits
        body = await read_body(request, limits.body, patience=limits.patience, ticket=ticket)
        asker = routed.asker
        if asker.timeout is not None:
            asker.within(asker.timeout)
        large = len(body) > SMALL_BODY
        asked = await models.run(read, routed, body) if large else read(routed, body)
        with missing_told(fill):
            if compute is None:
                found = await routed.answer(asked.data, asked.rows, asked.missing)
            else:
                found = await compute(routed, asked)
        served(request.scope, routed.name, routed.version, asked.rows)
        if asked.rows > FEW_ROWS:
            return await models.run(write, routed, asked, found)
        return write(routed, asked, found)
    finally:
        ticket.leave()
