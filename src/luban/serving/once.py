"""What is made when it is first asked for, and kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Makes something at most once, whoever asks for it; what raises is tried again by the next who asks."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._made: tuple[Made] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Made:
        """Return it, made now or before; who asks meanwhile waits."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = (self._make(),)
        return self._made[0]
