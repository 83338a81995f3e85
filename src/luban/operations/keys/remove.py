"""Keys remove: signatures of a key count no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class KeyRemoved:
    """A key whose signatures count no more.

    Attributes
    ----------
    file : str, optional
        The private key of its name on this machine, which is left where it is.
    """

    name: str
    id: str
    file: str | None = None


@operation(permission="keys:write", name="keys remove", existing=True)
def keys_remove(workspace: Workspace, name: str) -> KeyRemoved:
    """Let the signatures of a key count no more: what it alone signed is not loaded from then on.

    Parameters
    ----------
    name
        The key: its name or identifier.
    """
    from luban.store import private_keys

    key = workspace.keys.remove(name)
    here = key.name in private_keys.names()
    return KeyRemoved(name=key.name, id=key.id, file=str(private_keys.path_of(key.name)) if here else None)
