"""Tokens revoke: a token is good for nothing any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class TokenRevoked:
    """A token that is no good any more."""

    name: str
    id: str
    revoked: datetime | None


@operation(permission="tokens:write", name="tokens revoke", existing=True)
def tokens_revoke(workspace: Workspace, token: str) -> TokenRevoked:
    """End a token: running servers refuse it within two seconds.

    Parameters
    ----------
    token
        Its name, its id, or the token itself.
    """
    ended = workspace.tokens.revoke(token)
    return TokenRevoked(name=ended.name, id=ended.id, revoked=ended.revoked)
