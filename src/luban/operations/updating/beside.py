"""Updates beside a server: a thread that looks at the policies, and a process of low priority for each update."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.update import UpdatePolicy
    from luban.store import Workspace

LOOK = 1.0
"""Seconds between two looks at the policies."""

GAP = 5.0
"""Seconds between two looks at one name, at least; and three times what the last one took."""

AFTER_FAILURE = 60.0
"""Seconds until a name whose update failed is looked at again."""

_GRACE = 10.0  # seconds that an update is given to end when the server stops
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
    plain = {one.partition("@")[0].partition("/")[0] for one in names}
    beside = _Beside(workspace, plain, tell or _line)
    thread = threading.Thread(target=beside.run, name="luban-updates", daemon=True)
    thread.start()
    try:
        yield
    finally:
        beside.closing.set()
        thread.join()


class _Beside:
    def __init__(self, workspace: Workspace, names: Collection[str], tell: Callable[..., None]) -> None:
        self.closing = threading.Event()
        self._workspace = workspace
        self._names = names
        self._tell = tell
        self._next: dict[str, float] = {}
        self._seen: dict[str, Any] = {}

    def run(self) -> None:
        """Look until the server stops."""
        while not self.closing.wait(LOOK):
            try:
                policies = self._workspace.policies.list()
            except LubanError:  # the store is away, which the server itself tells
                continue
            for name, policy in policies.items():
                if (not self._names or name in self._names) and not self.closing.is_set():
                    self._look(name, policy)

    def _look(self, name: str, policy: UpdatePolicy) -> None:
        began = time.monotonic()
        if began < self._next.get(name, 0.0):
            return
        try:
            marks = self._marks(name)
        except LubanError as error:
            self._tell("update", subject=name, outcome="failed", reason=str(error))
            self._next[name] = began + AFTER_FAILURE
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
            self._tell(
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
        command = [sys.executable, "-m", "luban.operations.updating.process", json.dumps(request)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
            while process.poll() is None:
                if self.closing.wait(0.1):
                    _end(process)
                    return None
            said = "" if process.stdout is None else process.stdout.read()
        lines = said.strip().splitlines()
        if process.returncode or not lines:
            return {"outcome": "failed", "reason": f"the process of the update ended with {process.returncode}"}
        found: dict[str, Any] = json.loads(lines[-1])
        return found


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def _line(event: str, **details: Any) -> None:
    from datetime import UTC, datetime

    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stderr.write(json.dumps({"time": moment, "event": event, **details}) + "\n")
    sys.stderr.flush()
