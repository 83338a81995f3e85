"""Why somebody is not let in."""

from __future__ import annotations

import math
from typing import ClassVar

from luban.core.errors import LubanError


class Unauthenticated(LubanError):
    """A request without a token that is good."""

    code: ClassVar[str] = "unauthenticated"
    status: ClassVar[int] = 401

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its body (RFC 6750)."""
        return {"www-authenticate": 'Bearer realm="luban"'}


class TooOften(LubanError):
    """More requests than somebody may make.

    Parameters
    ----------
    wait : float
        Seconds after which another is taken.
    """

    code: ClassVar[str] = "too-many-requests"
    status: ClassVar[int] = 429

    def __init__(self, happened: str, wait: float) -> None:
        self.wait = wait
        super().__init__(happened, remedy=f"Wait {math.ceil(wait)} s.")

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its body."""
        return {"retry-after": str(max(1, math.ceil(self.wait)))}
