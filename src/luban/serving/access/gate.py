"""The gate of a server: who asks is found out before anything is looked for, and what is asked is held against it."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from luban.core.access import approving
from luban.core.errors import InputError, LubanError, Refused
from luban.serving.access.buckets import Buckets
from luban.serving.access.declare import CHANGE, OPEN, declared, walk
from luban.serving.access.errors import TooOften, Unauthenticated
from luban.serving.access.known import Known
from luban.serving.access.oidc import issuer_from_environment
from luban.serving.access.principal import ANYBODY, NOBODY, PRINCIPAL, Principal, check, principal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from luban.serving.access.declare import Declared
    from luban.serving.access.oidc import Issuer
    from luban.store.tokens import Tokens

WRONG = 1.0
"""Tokens that are not good, a second, that an address may try."""

WRONG_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often somebody may ask.

    Parameters
    ----------
    token, address : float, optional
        Requests a second of one token that has no rate of its own, and from one address (of IPv6: one network of 64
        bits); None for no limit.
    """

    token: float | None = None
    address: float | None = None

    def __post_init__(self) -> None:
        for name in ("token", "address"):
            rate = getattr(self, name)
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise InputError(f"the rate of one {name} must be above 0 requests a second", seen=str(rate))


class Gate:
    """Says who asks.

    Parameters
    ----------
    tokens : luban.store.tokens.Tokens, optional
        Of the workspace; without it there are none.
    issuer : Issuer, optional
        Whose JSON Web Tokens are good beside them.
    rates : Rates
    loopback : bool
        Whether only this machine reaches the server: then no token is needed until one was made.
    """

    def __init__(
        self,
        tokens: Tokens | None = None,
        *,
        issuer: Issuer | None = None,
        rates: Rates | None = None,
        loopback: bool = True,
    ) -> None:
        rates = rates or Rates()
        self._known = None if tokens is None else Known(tokens)
        self._issuer = issuer
        self.loopback = loopback
        self._wrong = Buckets(WRONG, burst=WRONG_AT_ONCE)
        self._addresses = None if rates.address is None else Buckets(rates.address)
        self._default = rates.token
        self._askers = Buckets(rates.token or 1.0)

    @property
    def buckets(self) -> dict[str, Buckets]:
        """What is taken from, by kind; workers of one server share it."""
        found = {"wrong": self._wrong, "address": self._addresses, "token": self._askers}
        return {kind: one for kind, one in found.items() if one is not None}

    @property
    def needed(self) -> bool:
        """Whether a token is needed."""
        return not self.loopback or self._issuer is not None or (self._known is not None and self._known.made)

    def check_start(self, host: str) -> None:
        """Raise `Refused` where other machines can reach the server and nobody could be let in."""
        if self.loopback or self._issuer is not None or (self._known is not None and self._known.any_good):
            return
        raise Refused(
            "a server that other machines can reach needs a token, and there is none that is good",
            seen=f"host {host!r}",
            remedy="Make one: luban tokens create NAME --scopes infer. Or serve on 127.0.0.1.",
        )

    async def who(self, scope: Scope, *, open_: bool = False) -> Principal:
        """Return who asks.

        Raises
        ------
        Unauthenticated
            If a token is needed and there is no good one.
        TooOften
            If too much was asked.
        """
        address = address_of(scope)
        if self._addresses is not None:
            _limit(self._addresses.take(address), "there are too many requests from this address")
        if open_:
            return NOBODY
        if self._known is not None:
            await self._known.fresh()
        if not self.needed:
            return ANYBODY
        text = _bearer(scope)
        principal = self._known.find(text) if self._known is not None else None
        if principal is None:
            _limit(self._wrong.wait(address), "this address has tried too many tokens that are not good")
            roles = self._known.roles if self._known is not None else {}
            principal = await self._issuer.find(text, roles) if self._issuer is not None else None
        if principal is None:
            self._wrong.take(address)
            raise Unauthenticated(
                "the token is not good: it is unknown, was revoked or has expired",
                remedy="Ask for a new one: luban tokens create.",
            )
        rate = principal.rate or self._default
        if rate is not None:
            _limit(self._askers.take(principal.actor or "", rate), "there are too many requests with this token")
        return principal


class Access:
    """ASGI middleware that lets in whom the gate knows.

    Parameters
    ----------
    app : ASGI application
        Whose routes went through `guarded`.
    gate : Gate
    routes : sequence
        Its routes, of which some may be open.
    answer : callable
        Returns the response for an error.
    """

    def __init__(
        self, app: ASGIApp, gate: Gate, routes: Sequence[Any], answer: Callable[[LubanError, dict[str, str]], ASGIApp]
    ) -> None:
        self._app = app
        self._gate = gate
        self._answer = answer
        self._open = frozenset(path for path, _, one in walk(routes) if one is not None and one.need == OPEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks and pass the request on, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no route takes anything else
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            scope[PRINCIPAL] = await self._gate.who(scope, open_=scope["path"] in self._open)
        except LubanError as error:
            await self._answer(error, getattr(error, "headers", {}))(scope, receive, send)
            return
        await self._app(scope, receive, send)


def guarded(routes: Sequence[Any], above: Declared | None = None) -> None:
    """Hold whoever asks against what each route declares; a route that declares nothing is refused."""
    for route in routes:
        own = declared(route) or above
        inside = getattr(route, "routes", None)
        if inside:
            guarded(inside, own)
        else:
            route.app = _Guarded(route.app, own)


class _Guarded:
    """A route's application behind what it declares."""

    def __init__(self, app: ASGIApp, declared: Declared | None) -> None:
        self._app = app
        self._declared = declared
        self._changes = declared is not None and declared.need in CHANGE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        check(scope, self._declared)
        if self._changes:
            with approving(partial(_approves, principal_of(scope))):  # whatever it is that the route changes
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def gate_of(tokens: Tokens | None, *, loopback: bool, rates: Rates | None = None) -> Gate:
    """Return the gate of a workspace, with the issuer that the environment names."""
    return Gate(tokens, issuer=issuer_from_environment(), rates=rates, loopback=loopback)


def address_of(scope: Scope) -> str:
    """Return the address of who asks; of IPv6 its network of 64 bits, which one household or machine has."""
    client = scope.get("client")
    if not client:
        return ""
    address = str(client[0])
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.split("%", 1)[0], 64), strict=False))
    except ValueError:
        return address


def _approves(principal: Principal, reference: str) -> bool:
    return principal.may("approve", [reference])


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, text = value.decode("latin-1").partition(" ")
            if kind.lower() == "bearer" and text.strip():  # `luban.serving.connection` bounds its length
                return str(text.strip())
            break
    raise Unauthenticated("a token is needed", remedy="Send it in the header: Authorization: Bearer TOKEN.")


def _limit(wait: float, happened: str) -> None:
    if wait > 0:
        raise TooOften(happened, wait)
