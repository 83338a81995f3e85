"""Tokens create: somebody may ask a server for something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from luban.core.budget import Duration
from luban.core.errors import InputError
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace

NEVER = "never"
LONGEST = 100 * 365 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class TokenCreated:
    """A new token.

    Attributes
    ----------
    token : str
        The token itself, which is shown this once and kept nowhere.
    """

    name: str
    token: str
    id: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    only: tuple[str, ...]
    expires: datetime | None


@operation(permission="tokens:write", name="tokens create")
def tokens_create(
    workspace: Workspace,
    name: str,
    *,
    scopes: tuple[str, ...] = (),
    roles: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    expires: str = "365d",
    rate: float | None = None,
) -> TokenCreated:
    """Make a token, which is shown this once: clients send it as `Authorization: Bearer TOKEN`.

    From the first one on every server of the workspace needs one, on this machine too.

    Parameters
    ----------
    name
        Whose it is, such as `shop-backend`; the audit chain and runs name it.
    scopes
        What it is good for: infer (ask models), read (look), write (change, and look), approve (say yes or no to
        what waits for it, and look), admin (all, and tokens).
    roles
        Roles that it has; what they allow may change later.
    only
        Models and deployments that it is good for, instead of all.
    expires
        How long it is good, such as `90d`, or `never`.
    rate
        Requests a second that it is good for.
    """
    from luban.store.clock import now

    if not scopes and not roles:
        raise InputError("a token needs scopes or roles", remedy="Such as: --scopes infer, or --scopes read,write.")
    until = None
    if expires != NEVER:
        seconds = float(Duration.parse(expires))
        if seconds > LONGEST:
            raise InputError("a token cannot be good for more than a century", seen=expires, remedy="Write never.")
        until = now() + timedelta(seconds=seconds)
    made, text = workspace.tokens.create(name, scopes=scopes, roles=roles, only=only, expires=until, rate=rate)
    return TokenCreated(
        name=made.name,
        token=text,
        id=made.id,
        scopes=made.scopes,
        roles=made.roles,
        only=made.only,
        expires=made.expires,
    )
