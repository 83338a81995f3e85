"""What each route of a server needs: a route that does not say so is refused to everybody.

Scopes are ``infer`` (ask models), ``read`` (look), ``write`` (change), ``approve`` (say yes or no to what waits for it)
and ``admin`` (all of it, and tokens and roles); ``write`` and ``approve`` may look too. ``look`` is either of ``infer``
and ``read``: what a client of a model must know of it. What is ``open`` anybody may ask: whether the server lives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from luban.store.scopes import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OPEN = "open"
LOOK = "look"
Need = Literal["open", "look", "infer", "read", "write", "approve", "admin"]
CHANGE = frozenset({"write", "approve", "admin"})
"""Of these, what routes need that change something."""

_DECLARED = "luban_access"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a route needs.

    Parameters
    ----------
    need : str
        A scope, ``look`` or ``open``.
    subject : str, optional
        Parameter of its path that names the model or deployment it is about: who may use some models only is let in for
        those. Without one such a person is not let in, but where it is `BODY`.
    """

    need: Need
    subject: str | None = None


BODY = "body"
"""In place of a parameter's name: the endpoint finds the name elsewhere, and calls `luban.serving.access.permit`."""


def needs(need: Need, *routes: Any, subject: str | None = "model") -> list[Any]:
    """Declare what routes need, and return them.

    Parameters
    ----------
    need : str
        A scope; ``look`` or ``open``.
    routes : starlette.routing.Route or Mount
        A mount's declaration is that of all below it that have none of their own.
    subject : str, optional
        Parameter of the path that names a model or deployment, where the path has one of that name.
    """
    if need not in (*SCOPES, LOOK, OPEN):
        raise ValueError(f"a route needs one of {', '.join((*SCOPES, LOOK, OPEN))}, not {need!r}")
    for route in routes:
        named = subject if subject == BODY or subject in getattr(route, "param_convertors", ()) else None
        setattr(route, _DECLARED, Declared(need=need, subject=named))
    return list(routes)


def declared(route: Any) -> Declared | None:
    """Return what a route says that it needs, or None where it says nothing."""
    found: Declared | None = getattr(route, _DECLARED, None)
    return found


def walk(routes: Iterable[Any], above: Declared | None = None, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, route, what it needs or None) of every route, those inside mounts too."""
    for route in routes:
        own = declared(route) or above
        path = prefix + str(getattr(route, "path", ""))
        inside = getattr(route, "routes", None)
        if inside:
            yield from walk(inside, own, path)
        else:
            yield path, route, own
