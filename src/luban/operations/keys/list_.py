"""Keys list: whose signatures count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class KeyLine:
    """A trusted key.

    Attributes
    ----------
    here : bool
        Whether this machine has a private key of its name.
    actor : str
        Who trusted it.
    """

    name: str
    id: str
    public: str
    here: bool
    created: datetime | None
    actor: str


@operation(permission="keys:read", name="keys list")
def keys_list(workspace: Workspace) -> tuple[KeyLine, ...]:
    """List the keys whose signatures count in this workspace."""
    from luban.store import private_keys

    mine = private_keys.names()
    return tuple(
        KeyLine(
            name=key.name,
            id=key.id,
            public=key.public,
            here=key.name in mine,
            created=key.created,
            actor=key.actor,
        )
        for key in workspace.keys.list()
    )
