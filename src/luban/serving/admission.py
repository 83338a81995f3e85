"""How much is being answered; beyond its bounds requests are refused at once instead of queued without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.serving.limits import Overloaded

if TYPE_CHECKING:
    from luban.serving.limits import Limits


class Admission:
    """Counts the requests that are being answered, and the bytes of their bodies; on the event loop alone."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests = 0
        self.bytes = 0

    def enter(self, size: int) -> Ticket:
        """Return a request's place.

        Parameters
        ----------
        size : int
            Bytes of the body, as declared; those of a body that does not declare them count as they come.

        Raises
        ------
        Overloaded
            If there are too many requests, or too many bytes.
        """
        if self.requests >= self._limits.requests:
            raise Overloaded("the server answers as many requests as it can", seen=f"{self.requests} requests")
        ticket = Ticket(self)
        self.requests += 1
        try:
            ticket.grow(size)
        except Overloaded:
            ticket.leave()
            raise
        return ticket


class Ticket:
    """The place of one request."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int) -> None:
        """Take so many bytes more; `Overloaded` where there is no room, unless nobody else has any."""
        admission = self._admission
        if size and admission.bytes > self._size and admission.bytes + size > admission._limits.bodies:
            raise Overloaded(
                "the server holds as many request bodies as it can", seen=f"{admission.bytes} bytes", after=2.0
            )
        admission.bytes += size
        self._size += size

    def leave(self) -> None:
        """Give the place back."""
        self._admission.requests -= 1
        self._admission.bytes -= self._size
        self._size = 0
