"""Who asks: a request's id, the person whom its rows are about, and whether that person agreed to be logged.

A request says so in the headers ``x-request-id``, ``x-luban-subject`` and ``x-luban-consent``, or in what its
protocol has for that (``id`` and ``parameters`` of the Open Inference Protocol, fields of the same names in records);
the body goes before the headers; ``x-luban-timeout`` says for how many seconds from its arrival an answer is waited
for. A request without an id gets one. Every answer carries ``x-request-id``, under which the prediction log has its
rows and under which labels may be sent later; an id that no header can hold is percent-encoded there
(`luban.core.request_id`). Headers are read as UTF-8, as clients send them that send more than ASCII.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from random import getrandbits
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.request_id import LONGEST, as_header, meant

if TYPE_CHECKING:
    from starlette.types import Scope

ASKER = "luban.asker"
"""Key of the ASGI scope under which the outermost layer leaves the `Asker`."""

_CONSENT = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_NAMES = {b"x-request-id", b"x-luban-subject", b"x-luban-consent", b"x-luban-timeout"}


def new_id() -> str:
    """Return an identifier of 128 random bits."""
    return f"{getrandbits(128):032x}"


@dataclass(kw_only=True)
class Asker:
    """What a request says about itself.

    Parameters
    ----------
    request_id : str
    subject : str, optional
    consent : bool, optional
    started : float
        When the request came, by `time.perf_counter`.
    timeout : str, optional
        The header that says for how long an answer is waited for, as it came.
    deadline : float
        When the client does not wait any more, by `time.perf_counter`.
    """

    request_id: str = field(default_factory=new_id)
    subject: str | None = None
    consent: bool | None = None
    started: float = field(default_factory=time.perf_counter)
    timeout: str | None = None
    deadline: float = math.inf

    def says(self, *, identifier: Any = None, subject: Any = None, consent: Any = None) -> None:
        """Take what the body of a request says, in place of its headers; None where it does not say it.

        Raises
        ------
        InputError
            If an id or a subject is no text of 1 to 200 printable characters, or consent neither true nor false.
        """
        if identifier is not None:
            self.request_id = _text("id", meant(identifier) if isinstance(identifier, str) else identifier)
        if subject is not None:
            self.subject = _text("subject", subject)
        if consent is not None:
            if not isinstance(consent, bool):
                consent = _CONSENT.get(str(consent).lower())
            if consent is None:
                raise InputError("consent must be true or false")
            self.consent = consent

    def within(self, seconds: Any) -> None:
        """Take for how many seconds after its arrival the client waits for an answer.

        Raises
        ------
        InputError
            If it is no number above 0.
        """
        try:
            found = float(seconds)
        except (TypeError, ValueError, OverflowError):
            found = math.nan
        if isinstance(seconds, bool) or not (math.isfinite(found) and found > 0):
            raise InputError("a timeout must be a number of seconds above 0", seen=repr(seconds)[:100])
        self.deadline = self.started + found

    @property
    def header(self) -> tuple[bytes, bytes]:
        """The header that an answer carries."""
        return b"x-request-id", as_header(self.request_id).encode("ascii")


def asker(scope: Scope) -> Asker:
    """Return what the headers of a request say; a header that cannot be is left aside, but for a refused consent.

    A subject that cannot be read, or a consent that cannot be understood, counts as refused: it is not logged.
    """
    said = {name: _words(value) for name, value in scope["headers"] if name in _NAMES}
    found = Asker()
    if not said:
        return found
    found.timeout = said.get(b"x-luban-timeout")
    try:
        found.says(identifier=said.get(b"x-request-id"))
    except InputError:
        found.request_id = new_id()
    try:
        found.says(subject=said.get(b"x-luban-subject"), consent=said.get(b"x-luban-consent"))
    except InputError:
        found.subject, found.consent = None, False
    return found


def asker_of(scope: Scope) -> Asker:
    """Return what the outermost layer found, or where there is none what the headers say."""
    if ASKER not in scope:
        scope[ASKER] = asker(scope)
    found: Asker = scope[ASKER]
    return found


def _words(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")  # as HTTP once had it


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
        raise InputError(
            f"the {what} of a request must be text of 1 to {LONGEST} printable characters", seen=repr(value)[:100]
        )
    return value
