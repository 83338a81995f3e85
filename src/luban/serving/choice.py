"""Names that requests have loaded and unloaded since the server was started; workers of one server share them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Chosen(NamedTuple):
    """What is served beside the names that the server was started with, and what of them is not.

    Under `left_out` stand those of several references of one name that are not, as they were given (``NAME/VERSION``,
    ``NAME@ALIAS``, ``NAME``).
    """

    loaded: tuple[str, ...] = ()
    unloaded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def load(self, name: str) -> Chosen:
        """Return the choice with a name loaded, as whole as it was given."""
        left_out = tuple(one for one in self.left_out if one.replace("@", "/").partition("/")[0] != name)
        return Chosen((*_without(self.loaded, name), name), _without(self.unloaded, name), left_out)

    def unload(self, name: str) -> Chosen:
        """Return the choice with a name unloaded."""
        return Chosen(_without(self.loaded, name), (*_without(self.unloaded, name), name), self.left_out)

    def leave_out(self, references: Iterable[str]) -> Chosen:
        """Return the choice without these references of a name that has others."""
        return self._replace(left_out=tuple(dict.fromkeys((*self.left_out, *references))))

    def has(self, name: str, reference: str) -> bool:
        """Return whether a name is served by what was given as this reference."""
        return name not in self.unloaded and reference not in self.left_out


class Choice:
    """Keeps the choice, in a file where several processes share it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / "choice.json"
        self._known = Chosen()
        self._stamp = 0

    def read(self) -> Chosen:
        """Return the choice as it is now."""
        if self._path is not None and self._path.exists():
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._known = Chosen(*map(tuple, json.loads(self._path.read_text())))
                self._stamp = stamp
        return self._known

    def write(self, chosen: Chosen) -> None:
        """Keep a choice."""
        self._known = chosen
        if self._path is not None:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(chosen))
            fresh.replace(self._path)
            self._stamp = self._path.stat().st_mtime_ns


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(one for one in names if one != name)
