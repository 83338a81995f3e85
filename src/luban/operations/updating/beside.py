"""Updates beside a server: a thread that looks at the policies, and a process of low priority for each update."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError
from luban.operations.beside import Beside, plain
from luban.operations.updating.rest import AFTER_FAILURE, failed_lately

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.update import UpdatePolicy
    from luban.store import Workspace

GAP = 5.0
"""Seconds between two looks at one name, at least; and three times what the last one took."""

_QUIET = ("waiting", "busy")


@contextmanager
def updating(
    workspace: Workspace, names: Collection[str] = (), tell: Callable[..., None] | None = None
) -> Iterator[None]:
    """Carry out the policies of these names, or of all, while the context is open.

    Several servers may do so at once: the lease lets one of them update a name.

    Parameters
    ----------
    names : collection of str
        What is served; a version or an alias in it counts as its name. Without any: all.
    tell : callable, optional
        Called as ``tell("update", subject=..., outcome=..., reason=...)``; by default a line of JSON on standard error.
    """
    beside = Beside("updates", tell)
    with beside.looking(_Policies(workspace, plain(names), beside).look):
        yield


class _Policies:
    def __init__(self, workspace: Workspace, names: Collection[str], beside: Beside) -> None:
        self._workspace = workspace
        self._names = names
        self._beside = beside
        self._next: dict[str, float] = {}
        self._seen: dict[str, Any] = {}

    def look(self) -> None:
        """Look at each policy, and update where it is time."""
        for name, policy in self._workspace.policies.list().items():
            if (not self._names or name in self._names) and not self._beside.closing.is_set():
                self._beside.attempt(partial(self._look, name, policy), name)

    def _look(self, name: str, policy: UpdatePolicy) -> None:
        began = time.monotonic()
        if began < self._next.get(name, 0.0):
            return
        self._next[name] = began + AFTER_FAILURE  # where this does not come to its end
        try:
            if failed_lately(self._workspace, name) is not None:  # here, or at another server
                self._seen[name] = None  # after that it is looked at whether labels come or not
                self._next[name] = began + GAP
                return
            marks = self._marks(name)
        except LubanError as error:
            self._beside.tell("update", subject=name, outcome="failed", reason=str(error))
            return
        if policy.on != "schedule" and marks == self._seen.get(name):  # an update needs new labels
            self._next[name] = began + GAP
            return
        said = self._process(name)
        if said is None:
            return
        # What did not come to its end, or is another server's, is looked at again whether labels came or not.
        self._seen[name] = marks if said["outcome"] in ("waiting", "refused", "asked", "promoted") else None
        if said["outcome"] not in _QUIET:
            self._beside.tell(
                "update", subject=name, **{key: value for key, value in said.items() if key != "subject" and value}
            )
        now = time.monotonic()
        self._next[name] = now + {"waiting": max(GAP, 3 * (now - began)), "failed": AFTER_FAILURE}.get(
            said["outcome"], GAP
        )

    def _marks(self, name: str) -> Any:
        """Return what changes when labels come to what is learnt from."""
        from luban.operations.updating.subject import subject

        return [self._workspace.labels.newest(one) for one in subject(self._workspace, name).sources]

    def _process(self, name: str) -> dict[str, Any] | None:
        """Return what came of one look; None where the server stops."""
        request = {"root": str(self._workspace.root), "actor": self._workspace.actor, "name": name}
        return self._beside.process("luban.operations.updating.process", request)
