"""How much a server takes on at once, and the errors that say it is too much."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from luban.core.errors import InputError, LubanError, OutOfTime

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one server process.

    Parameters
    ----------
    body : int
        Bytes of the largest request body.
    bodies : int
        Bytes of all bodies of requests that are being answered.
    requests : int
        Requests that are being answered.
    patience : float
        Seconds that a client may take to send the head of a request, and again its body.
    seconds : float
        Longest time from a request's arrival to its answer.
    rows : int
        Rows that a model is given at once.
    delay : float
        Seconds that a request may wait for others, to be computed together.
    waiting : int
        Rows that wait for a model; a request of more is taken where nothing waits.
    threads : int
        Calls of one model at once.
    suspicious : float
        Seconds (or ten times what was expected, if that is more) after which a call of several requests is given up
        and each tried alone, and a call of one no longer keeps others waiting.
    lost : int
        Calls of one model that hang before no more are begun; as many may take long beside the others.
    """

    body: int = 32 * MIB
    bodies: int = 256 * MIB
    requests: int = 1024
    patience: float = 30.0
    seconds: float = 60.0
    rows: int = 4096
    delay: float = 0.002
    waiting: int = 20_000
    threads: int = 2
    suspicious: float = 1.0
    lost: int = 8

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name != "delay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"the limit {name} must be above 0", seen=repr(value))
        if not 0 <= self.delay <= 1:
            raise InputError("the delay of batches must be between 0 and 1 second", seen=repr(self.delay))


class Overloaded(LubanError):
    """More is asked than the server can answer soon.

    Parameters
    ----------
    after : float
        Seconds until it is worth asking again.
    """

    code: ClassVar[str] = "overloaded"
    status: ClassVar[int] = 429

    def __init__(self, happened: str, *, seen: str | None = None, after: float = 1.0) -> None:
        self.after = max(1, min(60, math.ceil(after)))
        super().__init__(happened, seen=seen, remedy=f"Ask again in {self.after} s.")


class TooSlow(LubanError):
    """A client did not send its request in time."""

    code: ClassVar[str] = "request-timeout"
    status: ClassVar[int] = 408


class ModelFailed(LubanError):
    """A model answered what is no answer."""

    code: ClassVar[str] = "model-failed"
    status: ClassVar[int] = 500


class ModelHangs(OutOfTime):
    """A model did not answer in time, and the fault is its own."""

    code: ClassVar[str] = "model-hangs"


def retry_headers(error: LubanError) -> Mapping[str, str] | None:
    """Return the headers that go with an error: when to ask again, where it says so."""
    return {"retry-after": str(error.after)} if isinstance(error, Overloaded) else None
