"""Who may do what: tokens and roles, as they are known; a token's secret is known to nobody. Who may say yes."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_approves: ContextVar[Callable[[str], bool] | None] = ContextVar("luban_approves", default=None)


def approves(reference: str) -> bool:
    """Return whether who asks may say yes to this version; at the machine itself everybody may."""
    allowed = _approves.get()
    return allowed is None or allowed(reference)


@contextmanager
def approving(allowed: Callable[[str], bool]) -> Iterator[None]:
    """Let the enclosed work, and the jobs that it submits, say yes only to the versions for which this is true."""
    token = _approves.set(allowed)
    try:
        yield
    finally:
        _approves.reset(token)


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known of a token; its secret is not.

    Parameters
    ----------
    id : str
        The part of the token that names it.
    only : tuple of str
        Names of the models and deployments it is good for; empty for all.
    rate : float, optional
        Requests a second that it is good for.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    only: tuple[str, ...]
    rate: float | None
    expires: datetime | None
    created: datetime
    actor: str
    revoked: datetime | None

    @property
    def state(self) -> str:
        """``"good"``, ``"expired"`` or ``"revoked"``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= datetime.now(UTC) else "good"


@dataclass(frozen=True, kw_only=True)
class Role:
    """A set of scopes with a name.

    Parameters
    ----------
    only : tuple of str
        Names of the models and deployments it is good for; empty for all.
    """

    name: str
    scopes: tuple[str, ...]
    only: tuple[str, ...] = ()
