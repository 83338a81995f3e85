"""Where a model comes from: the code and the surroundings of the call that makes it, as its version records them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from luban.operations.code import SECONDS, Code, code
from luban.operations.environment import surroundings
from luban.version import __version__

if TYPE_CHECKING:
    from luban.store import Blobs

_SOON = 0.3  # seconds that a call waits for git when it begins
_LAST = 1.0  # and when it ends


class Origin:
    """The state of code and surroundings when a call begins; git is asked beside the work.

    Attributes
    ----------
    surroundings : dict
        Luban, Python, platform and packages.
    """

    def __init__(self) -> None:
        self._code = Code(state="timed out")
        self._thread = threading.Thread(target=self._look, name="luban-code", daemon=True)
        self._thread.start()
        self.surroundings = surroundings()

    def _look(self) -> None:
        self._code = code(seconds=SECONDS, early=self._hear)

    def _hear(self, found: Code) -> None:
        self._code = found

    @property
    def settled(self) -> bool:
        """Whether git has said all that it will."""
        return not self._thread.is_alive()

    def code(self, wait: float) -> Code:
        """Return what git said, after at most `wait` seconds."""
        self._thread.join(wait)
        return self._code

    def of_run(self) -> dict[str, Any]:
        """Return what the row of a run keeps."""
        found = self.code(_SOON)
        changed = {"clean": False, "changed": True}.get(found.state)
        brief = {"commit": found.commit, "changed": changed} if found.commit else None
        return {**self.surroundings, "code": brief}

    def keep(self, blobs: Blobs) -> dict[str, Any]:
        """Store the record of the code, with its changes, and that of the surroundings, and return their digests."""
        found = self.code(_LAST)
        diff = None if found.diff is None else blobs.put(found.diff)
        told = {**vars(replace(found, diff=None)), "diff": diff, "luban": __version__}
        return {"code": blobs.put_json(told), "environment": blobs.put_json(self.surroundings)}
