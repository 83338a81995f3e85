"""Alerts beside a server: a thread that sees whether there is something new, and a process that looks at it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from luban.operations.beside import Beside, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.store import Workspace

EVERY = 60.0
"""Seconds between two looks at one deployment, at least; and three times what the last one took."""


@contextmanager
def alerting(
    workspace: Workspace, names: Collection[str] = (), tell: Callable[..., None] | None = None
) -> Iterator[None]:
    """Hold the alert rules on these deployments, or on all, against their windows while the context is open.

    It is what `luban monitor NAME` does. Several servers may do so at once: a lease lets one of them look at a
    deployment, and how each rule stands is in the database.

    Parameters
    ----------
    names : collection of str
        What is served; a version or an alias in it counts as its name. Without any: all.
    tell : callable, optional
        Called as ``tell("alert", subject=..., outcome="failed", reason=...)``; by default a line of JSON on standard
        error, where the process writes what was told, and to whom it could not be.
    """
    beside = Beside("alerts", tell)
    with beside.looking(_Rules(workspace, plain(names), beside).look):
        yield


class _Rules:
    def __init__(self, workspace: Workspace, names: Collection[str], beside: Beside) -> None:
        self._workspace = workspace
        self._names = names
        self._beside = beside
        self._next: dict[str, float] = {}
        self._seen: dict[str, Any] = {}

    def look(self) -> None:
        """Let a process look at the deployments with rules where there is something new; one for all of them."""
        began = time.monotonic()
        found = {name: marks for name, marks in self._due(began).items() if marks != self._seen.get(name)}
        for name in found:
            self._next[name] = began + EVERY  # where this does not come to its end
        with ExitStack() as leases:
            held = [name for name in found if self._alone(leases, name)]
            said = self._process(held) if held and not self._beside.closing.is_set() else None
            if said is None:
                return
            for name in held:
                look = said.get("looks", {}).get(name, said)
                if look.get("outcome") == "failed":
                    self._beside.tell("alert", subject=name, **look)
                # What is over a limit may have to be told again, or is to be told yet: it needs nothing new.
                settled = look.get("outcome") in ("done", "waiting") and not self._goes_on(name)
                self._seen[name] = found[name] if settled else None
                now = time.monotonic()
                self._next[name] = now + max(EVERY, 3 * (now - began))

    def _due(self, moment: float) -> dict[str, Any]:
        """Return what changes when there is something new to look at, by the names whose turn it is."""
        rules: dict[str, list[str]] = {}
        for rule, _ in self._workspace.alerts.list():
            if not self._names or rule.deployment in self._names:
                rules.setdefault(rule.deployment, []).append(str(rule))
        from luban.operations.monitoring.rows import FEWEST

        due = [name for name in rules if moment >= self._next.get(name, 0.0)]
        if not due:
            return {}
        deployed = {one.name: one.champion for one in self._workspace.deployments.list()}
        rows = {name: self._workspace.predictions.count(name) for name in due if name in deployed}
        ended = {name: self._workspace.outcomes.newest(name) for name in rows}
        return {
            name: (rules[name], deployed[name], count, self._workspace.labels.newest(name), ended[name])
            for name, count in rows.items()
            if count >= FEWEST or ended[name]
        }

    def _alone(self, mine: ExitStack, name: str) -> bool:
        """Take the lease for a look and return True, or False where another server looks."""
        from luban.operations.updating.alone import SECONDS, holder, kept

        lease = self._workspace.leases.take(f"alerts/{name}", holder(), SECONDS)
        if lease is not None:
            mine.enter_context(kept(self._workspace, lease, SECONDS))
        return lease is not None

    def _goes_on(self, name: str) -> bool:
        return any(state.since or state.told or state.notice for _, state in self._workspace.alerts.list(name))

    def _process(self, names: list[str]) -> dict[str, Any] | None:
        """Return what came of a look by name; None where the server stops."""
        request = {"root": str(self._workspace.root), "actor": self._workspace.actor, "names": names}
        return self._beside.process("luban.operations.alerts.process", request)
