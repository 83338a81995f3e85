"""A server's models tied to the workspace: names that follow the store, the prediction log, the shadow, the rollback.

Requests are noted in a bounded queue and answered; all else is done by threads that no request waits for: one looks
at the store, one counts what was observed and takes failing canaries back, one writes the log, one computes shadows.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from luban.core.errors import Conflict, InputError, LubanError
from luban.execution.attempts import Attempts
from luban.serving import labelled, measured, watch
from luban.serving.choice import Choice
from luban.serving.counting import Counting
from luban.serving.log.writer import LogWriter
from luban.serving.models import Models
from luban.serving.observation import Observation, chosen
from luban.serving.outcomes import OutcomeCounts
from luban.serving.rollout import without
from luban.serving.shadow import Shadow
from luban.serving.trials import Seen, Trials
from luban.serving.windows import Windows
from luban.serving.workers.bench import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from types import TracebackType

    from luban.core.model import Deployment
    from luban.serving.arms import Arm
    from luban.serving.limits import Limits
    from luban.serving.measured import Measured
    from luban.serving.rollout import Counts, Tally
    from luban.serving.runtime import Runtime
    from luban.serving.trials import Bench, Verdict
    from luban.serving.workers.place import Place
    from luban.store import Workspace

DRAIN = 0.05
"""Seconds between two looks at what was observed."""

WAITING = 20_000
"""Requests that wait to be looked at, at most."""

_LABELS = 1.0  # seconds between two looks at labels, and never more than a tenth of the time
_SETTLED = 3.0  # seconds for which labels are looked at again: a prediction may be stored after its label
_DAY = 86_400.0
_SWEPT = 32  # pictures and sounds that are erased between two looks at the store
_HOUR = 3_600.0
_MINUTE = 60.0


@dataclass(kw_only=True)
class _Labels:
    """Which labels of a trial were counted last, of predictions since when, and until when to look again."""

    began: int
    newest: int | None
    since: datetime
    until: float
    measured: int = 0  # labelled rows that two versions had at least, when scores were computed last


@dataclass(frozen=True, kw_only=True)
class _Rollback:
    """What the store is to be told: that the trial of this number ended, and what takes its place."""

    before: Deployment
    trial: int
    after: Deployment
    reason: str


class Deployed:
    """The models of one server process, while the context is open.

    Parameters
    ----------
    workspace : Workspace
    names : sequence of str
        Models and deployments; without any all deployments.
    load : callable
        Returns the runtime of a model version by its reference.
    limits : Limits, optional
        Of `luban.serving.models.Models`.
    place : Place, optional
        Of a worker among several processes: they judge canaries together.

    Attributes
    ----------
    models : Models
        What wires answer from.
    """

    def __init__(
        self,
        workspace: Workspace,
        names: Sequence[str],
        load: Callable[[str], Runtime],
        *,
        limits: Limits | None = None,
        place: Place | None = None,
    ) -> None:
        folder = None if place is None else place.folder
        self._workspace = workspace
        self._watch = watch.Watch(workspace, names, load, tell=self._tell, choice=Choice(folder))
        self.models = Models(served=self._watch.begin(), limits=limits)
        self._watch.publish = self.models.replace
        self._seen: deque[Observation] = deque()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._log = LogWriter(workspace.predictions.append, tell=self._tell)
        self._outcomes = OutcomeCounts(workspace.outcomes.add, self._log_counts)
        self._shadow = Shadow(self._keep)
        self._bench: Bench = Trials() if place is None else Told(place.news)
        self._counting: dict[str, tuple[int, Counting]] = {}
        self._pending: dict[str, _Rollback] = {}
        self._labels: dict[str, _Labels] = {}
        self._next_labels = self._next_retention = self._next_sweep = 0.0
        self._attempt = Attempts(self._tell)
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, name="luban-watch", daemon=True),
            threading.Thread(target=self._observe, name="luban-observe", daemon=True),
        ]

    def __enter__(self) -> Deployed:
        self.models.observer = self._take
        self.models.figures = self.figures
        self.models.windows = Windows(self._workspace)
        self.models.repository = self
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.models.close()
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout=10)
        self._shadow.close()
        self._drain()
        self._log.close()
        self._attempt(self._outcomes.record)

    def _tell(self, event: str, **details: object) -> None:
        self.models.tell(event, **details)

    def figures(self) -> dict[str, dict[tuple[str, str], int]]:
        """Return counts of rows by (deployment, outcome): of the ``log`` and of the ``shadow``."""
        return {"log": dict(self._log_counts()), "shadow": self._shadow.counts()}

    def _log_counts(self) -> Counter[tuple[str, str]]:
        log = Counter(self._log.counts())
        log.update(dict(self._counts))  # as it is at once: requests add to it meanwhile
        return log

    # --- the repository (`luban.serving.models.Repository`) -------------------------------------------

    def load(self, name: str) -> None:
        """Serve a model or a deployment of the workspace, at its newest state."""
        if "@" in name or "/" in name:
            raise InputError("only a name can be loaded", seen=repr(name)[:100], remedy="Leave version and alias out.")
        self._watch.choose(name, serve=True)

    def unload(self, name: str, version: str | None = None) -> None:
        """Serve a name, or one of its versions, no more, until it is loaded or the server is started again."""
        if version is not None and name in {one.name for one in self._workspace.deployments.list()}:
            raise Conflict(
                f"{name!r} is a deployment, whose versions share its traffic",
                remedy="Use luban deployments promote or rollback.",
            )
        self._watch.choose(name, serve=False, version=version)

    def known(self) -> list[tuple[str, str]]:
        """Return (name, version) of the deployments and models of the workspace."""
        deployments = {one.name: one.champion.rpartition("/")[2] for one in self._workspace.deployments.list()}
        models = {one.name: str(one.version) for one in self._workspace.models.list()}
        return sorted((models | deployments).items())

    def promote(self, name: str, version: str, actor: str | None = None) -> None:
        """Move the alias ``champion`` of a model; of a deployment `Conflict` says what to use."""
        if name in {one.name for one in self._workspace.deployments.list()}:
            raise Conflict(
                f"{name!r} is a deployment, whose versions share its traffic", remedy="Use luban deployments promote."
            )
        reference = self._workspace.models.get(f"{name}/{version}")
        with self._workspace.acting(actor or self._workspace.actor) as place:
            place.models.set_alias(name, "champion", reference.version, reason="set as default over the network")
        self._watch.look()

    # --- requests ---------------------------------------------------------------------------------

    def _take(self, one: Observation) -> None:
        if len(self._seen) >= WAITING:
            name = one.arm.deployment.name if one.arm.deployment else ""
            self._counts[name, "dropped"] += one.length
            return
        self._seen.append(one)

    # --- what was observed ------------------------------------------------------------------------

    def _observe(self) -> None:
        while not self._closing.wait(DRAIN):
            self._attempt(self._drain)
            self._attempt(self._rule)

    def _rule(self) -> None:
        for verdict in self._bench.verdicts():
            self._take_back(verdict)

    def _drain(self) -> None:
        seen = [self._seen.popleft() for _ in range(len(self._seen))]
        by_name: dict[str, list[Observation]] = {}
        for one in seen:
            if one.arm.deployment is not None:
                by_name.setdefault(one.arm.deployment.name, []).append(one)
        for name, mine in by_name.items():
            self._attempt(partial(self._heed, name, mine), name)  # a defect in one costs no other what was seen of it

    def _heed(self, name: str, seen: list[Observation]) -> None:
        self._judge(name, seen)
        self._outcomes.note(name, seen)
        answered = [one for one in seen if one.answer is not None]
        shadow = self.models.shadow(name)
        if shadow is not None:
            for one in answered:
                self._shadow.put(shadow, one)
        self._keep(answered)

    def _judge(self, name: str, seen: list[Observation]) -> None:
        """Count what was seen of the trial that is under way; what was asked before it began says nothing of it."""
        arm = self._trial(name)
        if arm is None:
            self._counting.pop(name, None)
            return
        if name not in self._counting or self._counting[name][0] != arm.began:
            self._counting[name] = (arm.began, Counting())
        mine = [one for one in seen if one.arm.began == arm.began]
        if mine:
            self._bench.add(_seen(arm, self._counting[name][1].note(mine)))

    def _trial(self, name: str) -> Arm | None:
        """Return the champion of a deployment that has canaries."""
        served = self._watch.served.get(name)
        arm = list(served.values())[-1].champion if served else None
        return arm if arm is not None and arm.deployment is not None and arm.deployment.canaries else None

    def _keep(self, seen: Sequence[Observation]) -> None:
        """Hand what is sampled, and not refused by whom it is about, to the log."""
        kept = []
        for one in seen:
            deployment = one.arm.deployment
            assert deployment is not None
            if one.consent is False:
                self._counts[deployment.name, "without_consent"] += one.length
            elif chosen(one.request_id, deployment.log):
                kept.append(one)
        self._log.put(kept)

    def _take_back(self, verdict: Verdict) -> None:
        """Take the canary's share at once; that it was done is recorded as soon as the store answers."""
        arm = self._trial(verdict.deployment)
        if arm is None or arm.deployment is None or arm.began != verdict.began:  # what is served has changed meanwhile
            return
        deployment, canary = arm.deployment, verdict.canary
        if canary not in deployment.canaries or deployment.name in self._pending:
            return
        after = replace(deployment, traffic=without(deployment, canary))
        reason = f"automatic rollback: {verdict.why}"
        self._tell("rollback", deployment=deployment.name, canary=canary, reason=reason)
        self._pending[deployment.name] = _Rollback(before=deployment, trial=arm.began, after=after, reason=reason)
        self._watch.overrule(deployment, arm.began, after)

    # --- the store --------------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._watch.wait(self._closing):
            for work in (
                self._record,
                self._watch.look,
                self._read_labels,
                self._outcomes.look,
                self._retain,
                self._sweep,
            ):
                self._attempt(work)

    def _record(self) -> None:
        for name, rollback in list(self._pending.items()):
            after = rollback.after
            try:
                self._workspace.deployments.set(
                    name,
                    after.traffic,
                    shadow=after.shadow,
                    replicas=after.replicas,
                    log=after.log,
                    keep=after.keep,
                    media=after.media,
                    reason=rollback.reason,
                    expected=rollback.before,
                    trial=rollback.trial,
                )
            except Conflict:  # somebody else, or another server, was quicker
                del self._pending[name]
            except LubanError as error:
                self._tell("rollback-not-recorded", deployment=name, error=str(error))
            else:
                del self._pending[name]

    def _read_labels(self) -> None:
        if time.monotonic() < self._next_labels:
            return
        started = time.monotonic()
        for name in tuple(self._watch.served):
            arm = self._trial(name)
            if arm is None or arm.deployment is None:
                continue
            newest = self._workspace.labels.newest(name)
            look = self._labels.get(name)
            if look is None or look.began != arm.began:
                history = self._workspace.deployments.history(name)
                since = next(one.moment for one in history if one.number == arm.began)
                look = self._labels[name] = _Labels(began=arm.began, newest=None, since=since, until=0.0)
            if newest != look.newest:
                look.newest, look.until = newest, time.monotonic() + _SETTLED
            if newest is not None and time.monotonic() <= look.until:
                self._bench.add(self._by_labels(arm, arm.deployment, look))
        self._next_labels = time.monotonic() + max(_LABELS, 10 * (time.monotonic() - started))

    def _by_labels(self, arm: Arm, deployment: Deployment, look: _Labels) -> Seen:
        """Return what labels say of the arms; their scores are computed when a test is due, not at each look."""
        arms = list(self._watch.served[deployment.name].values())[-1].answering
        task = arm.runtime.task
        table = labelled.read(self._workspace, deployment, task, look.since)
        wrong = labelled.wrong(task, arm.model, table)
        rows = sorted(wrong[one.model].requests for one in arms if one.model in wrong)
        if len(rows) < 2 or not measured.due(rows[-2], look.measured):
            return _seen(arm, {}, wrong)
        look.measured = rows[-2]
        return _seen(arm, {}, wrong, labelled.measured(task, table, {one.model: one.runtime.threshold for one in arms}))

    def _retain(self) -> None:
        """Let the log forget what is older than the deployments say, once a day and when the server starts."""
        if time.monotonic() < self._next_retention:
            return
        self._next_retention = time.monotonic() + _MINUTE  # where a part of it fails it is not tried at every look
        self._workspace.outcomes.forget()
        works: list[tuple[str, Callable[[], object]]] = []
        for deployment in self._workspace.deployments.list():
            if deployment.keep is not None and deployment.name in self._watch.served:
                retain = partial(self._workspace.predictions.retain, deployment.name, deployment.keep)
                works.append((deployment.name, retain))
        for gone in self._workspace.deployments.removed():
            if gone.erased:
                works.append((gone.name, partial(self._clear, gone.name)))
            elif gone.keep is not None:
                works.append((gone.name, partial(self._workspace.predictions.retain, gone.name, gone.keep)))
        done = [self._retained(name, work) for name, work in works]
        self._next_sweep = 0.0
        self._next_retention = time.monotonic() + (_DAY if all(done) else _HOUR)

    def _clear(self, name: str) -> None:
        if self._workspace.predictions.left(name):  # who removed it was killed on the way
            self._workspace.predictions.clear(name)

    def _retained(self, name: str, work: Callable[[], object]) -> bool:
        """Return whether the log of a deployment could forget; what keeps one from it keeps no other."""
        done: list[bool] = []

        def attempted() -> None:
            try:
                work()
            except LubanError as error:
                self._tell("retention-failed", deployment=name, error=str(error))
            else:
                done.append(True)

        self._attempt(attempted, name)
        return bool(done)

    def _sweep(self) -> None:
        """Erase what the log holds of pictures and sounds for no row, a little at a time; what a kill left, too."""
        if time.monotonic() >= self._next_sweep and self._workspace.predictions.media.sweep(_SWEPT) < _SWEPT:
            self._next_sweep = time.monotonic() + _HOUR


def _seen(
    arm: Arm, counts: Counts, wrong: dict[str, Tally] | None = None, scores: dict[str, Measured] | None = None
) -> Seen:
    assert arm.deployment is not None
    return Seen(
        deployment=arm.deployment.name,
        began=arm.began,
        traffic=arm.deployment.traffic,
        counts=counts,
        wrong=wrong,
        scores=scores,
    )
