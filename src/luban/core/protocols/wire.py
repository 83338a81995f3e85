"""What clients of a server speak to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence


@runtime_checkable
class Wire(Protocol):
    """A protocol that clients speak to a server (group ``luban.wires``)."""

    def routes(self, runtime: Any) -> Sequence[Any]:
        """Return the routes (Starlette) that answer from this runtime."""
