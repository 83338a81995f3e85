"""Tokens list: who may ask a server for what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class TokenLine:
    """One token; its state is good, expired or revoked."""

    name: str
    id: str
    state: str
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    only: tuple[str, ...]
    expires: datetime | None
    created: datetime
    actor: str
    rate: float | None = None


@operation(permission="tokens:read", name="tokens list")
def tokens_list(workspace: Workspace) -> tuple[TokenLine, ...]:
    """List the tokens there are and were: what each is good for, until when, and who made it; never the tokens."""
    names = TokenLine.__dataclass_fields__
    return tuple(TokenLine(**{name: getattr(one, name) for name in names}) for one in workspace.tokens.list())
