"""Whoever asks, and what that person or program may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luban.core.errors import Refused
from luban.serving.access.declare import BODY, LOOK, OPEN
from luban.store.roles import Grant, grant
from luban.store.scopes import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luban.serving.access.declare import Declared

PRINCIPAL = "luban.principal"
"""Key of the ASGI scope under which `luban.serving.access.gate.Access` leaves who asks."""

_NEED = "luban.need"


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Whoever asks.

    Parameters
    ----------
    actor : str, optional
        As the audit chain and runs name them; None where nobody has to say.
    grants : tuple of Grant
    rate : float, optional
        Requests a second, where there is a limit of one's own.
    """

    actor: str | None
    grants: tuple[Grant, ...]
    rate: float | None = None
    everywhere: frozenset[str] = field(init=False)
    """Scopes for all models, and for what is about none."""

    def __post_init__(self) -> None:
        whole = (one.scopes for one in self.grants if one.only is None)
        object.__setattr__(self, "everywhere", frozenset[str]().union(*whole))

    def may(self, need: str, names: Iterable[str] = ()) -> bool:
        """Return whether something may be done, to each of these models and deployments where there are names."""
        if need == OPEN or _enough(need, self.everywhere):
            return True
        asked = {_plain(name) for name in names}
        return bool(asked) and all(self._for_one(need, name) for name in asked)

    def somewhere(self, need: str) -> bool:
        """Return whether something may be done to some model at least."""
        return need == OPEN or any(_enough(need, one.scopes) for one in self.grants if one.only != frozenset())

    def _for_one(self, need: str, name: str) -> bool:
        return any(_enough(need, one.scopes) for one in self.grants if one.only is None or name in one.only)


ANYBODY = Principal(actor=None, grants=(grant(["admin"], []),))
"""Whoever reaches a server on loopback for which no token was ever made: whoever works on this machine."""

NOBODY = Principal(actor=None, grants=())
"""Who has not said who asks, and may see what is open."""


def principal_of(scope: Any) -> Principal:
    """Return who asks; whoever did not pass the gate is nobody."""
    found: Principal = scope.get(PRINCIPAL, NOBODY)
    return found


def check(scope: Any, declared: Declared | None) -> None:
    """Raise `Refused` unless who asks may ask a route that declares this."""
    if declared is None:
        raise Refused("this route does not say who may use it, so nobody may")
    principal = principal_of(scope)
    if declared.subject == BODY:
        scope[_NEED] = declared.need
        if not principal.somewhere(declared.need):
            raise _refused(declared.need, ())
        return
    path = scope.get("path_params", {})
    names = () if declared.subject is None else (str(path.get(declared.subject, "")),)
    if not principal.may(declared.need, names):
        raise _refused(declared.need, names)


def permit(scope: Any, *names: str, need: str | None = None) -> None:
    """Raise `Refused` unless who asks may do what the route needs to these models and deployments.

    An endpoint whose route declares the subject `BODY` calls it before it does anything else.
    """
    wanted = need or scope[_NEED]
    if not principal_of(scope).may(wanted, names):
        raise _refused(wanted, names)


def _enough(need: str, scopes: frozenset[str]) -> bool:
    return need in scopes or (need == LOOK and bool(scopes & {"infer", "read"}))


def _plain(reference: str) -> str:
    """Return the name in ``name``, ``name/version`` and ``name@alias``."""
    return reference.split("/", 1)[0].split("@", 1)[0]


def _refused(need: str, names: Iterable[str]) -> Refused:
    where = ", ".join(repr(_plain(name)[:100]) for name in names)
    wanted = "infer or read" if need == LOOK else need
    return Refused(
        f"this token does not allow it{f' for {where}' if where else ''}",
        remedy=f"It needs a token with the scope {wanted}{'' if where else ' for all models'}; "
        f"scopes are {', '.join(SCOPES)}.",
    )
