"""What a token may do, in five words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

SCOPES = ("infer", "read", "write", "approve", "admin")
"""Ask models; look; change (and look); say yes or no to what waits for it (and look); all, and tokens and roles."""

IMPLIED = {
    "infer": frozenset({"infer"}),
    "read": frozenset({"read"}),
    "write": frozenset({"write", "read"}),
    "approve": frozenset({"approve", "read"}),
    "admin": frozenset(SCOPES),
}


def valid_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes in their order, each once; `NotFound` names the nearest where one is unknown."""
    found = set(scopes)
    for one in sorted(found):
        if one not in SCOPES:
            raise NotFound.named("scope", one[:50], SCOPES)
    if not found:
        raise InputError("there is no scope", remedy=f"Give one or more of {', '.join(SCOPES)}.")
    return [one for one in SCOPES if one in found]
