"""Where a request is computed: in a thread, unless handing it over would take longer than computing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.serving.models import Models
    from luban.serving.routed import Routed

SMALL_BODY = 16 * 1024
"""Bytes up to which the event loop reads a body itself, which takes a fraction of a millisecond."""


class Asked(Protocol):
    """A request that was read and checked."""

    @property
    def rows(self) -> int:
        """How many rows it asks for."""


Request = TypeVar("Request", bound=Asked)


async def compute(
    models: Models,
    runtime: Routed,
    body: bytes,
    read: Callable[[Routed, bytes], Request],
    answer: Callable[[Routed, Request], bytes],
) -> tuple[int, bytes]:
    """Return (rows, the answer to a request).

    Parameters
    ----------
    models : Models
        Has the threads.
    runtime : Runtime
        Answers.
    body : bytes
        Of the request.
    read, answer : callable
        The wire's two halves: from a body to what is asked, and from that to the answer's body.
    """
    if len(body) > SMALL_BODY:

        def both() -> tuple[int, bytes]:
            asked = read(runtime, body)
            return asked.rows, answer(runtime, asked)

        return await models.run(both)
    asked = read(runtime, body)
    if asked.rows == 1 and runtime.quick:
        return 1, answer(runtime, asked)
    return asked.rows, await models.run(answer, runtime, asked)
