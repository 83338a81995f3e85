"""The one family of errors that a user may meet.

Every message says three things: what happened, what was seen, and what to do. Anything that is
raised and is not a :class:`LubanError` is a defect of Luban.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

from luban.core.secrets import hidden

if TYPE_CHECKING:
    from collections.abc import Iterable


class LubanError(Exception):
    """Root of all errors shown to users.

    Parameters
    ----------
    happened : str
        What happened, as a short sentence without a full stop.
    seen : str, optional
        What was seen: the value, the file, the line.
    remedy : str, optional
        What to do about it.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 2

    def __init__(self, happened: str, *, seen: str | None = None, remedy: str | None = None) -> None:
        # What a user gave may hold a token; errors go to logs and to strangers.
        self.happened = hidden(happened)
        self.seen = None if seen is None else hidden(seen)
        self.remedy = None if remedy is None else hidden(remedy)
        super().__init__(self.happened)

    def __str__(self) -> str:
        parts = [self.happened.rstrip(".")]
        if self.seen:
            parts.append(f"seen: {self.seen.rstrip('.')}")
        text = "; ".join(parts) + "."
        return f"{text} {self.remedy}" if self.remedy else text

    def to_dict(self) -> dict[str, str | None]:
        """Return the error as the JSON object that every face shows."""
        return {"code": self.code, "happened": self.happened, "seen": self.seen, "remedy": self.remedy}


class InputError(LubanError):
    """Data, a parameter or a file that cannot be used as it is."""

    code = "bad-input"
    status = 400


class NotFound(LubanError):
    """A name that does not exist.

    Attributes
    ----------
    none : bool
        Whether there is nothing of its kind, under no name.
    """

    code = "not-found"
    status = 404
    none = False

    @classmethod
    def named(cls, what: str, name: str, known: Iterable[str], *, remedy: str | None = None) -> NotFound:
        """Return an error that lists the nearest existing names, or the first where none is near."""
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        if remedy is None and near:
            remedy = f"Did you mean: {', '.join(near)}?"
        elif remedy is None:
            more = f", and {len(names) - 5} more" if len(names) > 5 else ""
            remedy = f"There is: {', '.join(names[:5])}{more}." if names else f"There is no {what} yet."
        found = cls(f"no {what} is named {name!r}", remedy=remedy)
        found.none = not names
        return found


class Conflict(LubanError):
    """What is asked for contradicts what is there."""

    code = "conflict"
    status = 409


class Refused(LubanError):
    """The person or the policy does not allow it."""

    code = "refused"
    status = 403


class Tampered(LubanError):
    """Content does not match its digest or signature."""

    code = "tampered"
    status = 422


class Unsupported(LubanError):
    """A part cannot do what is asked, for the reason given."""

    code = "unsupported"
    status = 422


class MissingExtra(LubanError):
    """A plug-in needs packages that are not installed."""

    code = "missing-extra"
    status = 501


class Unavailable(LubanError):
    """Something outside (a disk, a database, a service) does not answer or has no room."""

    code = "unavailable"
    status = 503


class OutOfTime(LubanError):
    """The deadline came before anything usable was ready."""

    code = "out-of-time"
    status = 504
