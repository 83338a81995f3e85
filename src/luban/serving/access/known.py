"""The tokens that a server knows: all good ones, in memory, so that a check asks no database.

They are read again when the audit chain has grown, which is looked at while requests come, every half second; whoever
is answered was looked up among tokens at most a second old. While the store is away those that were good stay so for
five minutes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from luban.core.errors import LubanError, Unavailable
from luban.serving.access.principal import Principal
from luban.store.tokens import digest_of, token_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.store.roles import Grant
    from luban.store.tokens import Held, Snapshot, Tokens

LOOK = 0.5
"""Seconds after which the store is looked at again."""

OLD = 1.0
"""Seconds after which a request waits for the look."""

AWAY = 300.0
"""Seconds for which tokens stay good while the store does not answer."""

_PATIENCE = 2.0  # seconds that a request waits for a look, before the store counts as away


class Known:
    """The good tokens of a workspace as they were a moment ago.

    Parameters
    ----------
    tokens : luban.store.tokens.Tokens
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._mark = ""
        self._looked = 0.0
        self._away = False
        self._looking: asyncio.Task[None] | None = None
        self._snapshot: Snapshot
        self._principals: dict[str, tuple[Held, Principal]] = {}
        self.look()

    @property
    def made(self) -> bool:
        """Whether a token was ever made."""
        return self._snapshot.made

    @property
    def any_good(self) -> bool:
        """Whether somebody could be let in."""
        return any(held.grants for held in self._snapshot.held.values())

    @property
    def roles(self) -> Mapping[str, Grant]:
        """What each role grants."""
        return self._snapshot.roles

    def look(self) -> None:
        """Read the store where it has changed."""
        started = time.monotonic()
        mark = self._tokens.mark()
        if mark != self._mark:
            self._snapshot = self._tokens.snapshot()
            self._principals = {
                held.token.id: (
                    held,
                    Principal(actor=f"token/{held.token.name}", grants=held.grants, rate=held.token.rate),
                )
                for held in self._snapshot.held.values()
            }
            self._mark = mark
        self._looked = started

    def find(self, text: str) -> Principal | None:
        """Return whose token a text is, or None where it is none that is good."""
        found = self._principals.get(token_id(text) or "")
        if found is None:
            return None
        held, principal = found
        if not held.is_(digest_of(text)):
            return None
        return principal if time.time() < held.until else None

    async def fresh(self) -> None:
        """Return when what is known is fresh enough.

        Raises
        ------
        Unavailable
            If the store has not answered for so long that nobody is let in.
        """
        age = time.monotonic() - self._looked
        if age < LOOK:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look_aside())
        if age < OLD or (self._away and age < AWAY):
            return
        await asyncio.wait({self._looking}, timeout=_PATIENCE)
        age = time.monotonic() - self._looked
        if age >= OLD:
            self._away = True
        if age >= AWAY:
            raise Unavailable("the workspace does not answer, so nobody's token can be checked", remedy="Try again.")

    async def _look_aside(self) -> None:
        try:
            await asyncio.to_thread(self.look)
        except LubanError:  # the store is away; what was good is good for a while, as `fresh` says
            self._away = True
        else:
            self._away = False
