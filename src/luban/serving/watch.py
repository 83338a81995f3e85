"""What a server answers for, as the store says it now: names of models and deployments, kept up to date.

A look costs one row as long as nothing was changed: every move of an alias or a deployment ends the audit chain anew.
New versions are loaded beside the old ones and take their place at once; requests that an old version is answering
are finished by it. What cannot be loaded is told and keeps nothing else from being followed: its name answers as it did
before, or not at all where it never did, and it is tried again when something changes, and from time to time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from luban.core.errors import InputError, LubanError, NotFound
from luban.serving.arms import CANARY, CHAMPION, SHADOW, Arm, Arms
from luban.serving.choice import Choice
from luban.serving.light import give_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from luban.core.model import Deployment
    from luban.serving.arms import ArmName
    from luban.serving.runtime import Runtime
    from luban.store import Workspace

INTERVAL = 0.25
"""Seconds between two looks."""

GLANCE = 0.02
"""Seconds after which it is seen whether anything was written at all, where that costs next to nothing."""

_LONGEST = 10.0  # seconds until what could not be loaded is tried again, at most

Served = dict[str, dict[str, Arms]]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a name stands for: a deployment, or one version of a model; `given` is how it was asked for."""

    given: str
    name: str
    deployment: Deployment | None = None
    model: str | None = None
    began: int = 0


class Watch:
    """Follows the store.

    Parameters
    ----------
    workspace : Workspace
    names : sequence of str
        Models (``NAME``, ``NAME/VERSION``, ``NAME@ALIAS``) and deployments; a deployment goes before a model of its
        name. Without any: all deployments, those made later too.
    load : callable
        Returns the runtime of a model version by its reference.
    publish : callable, optional
        Called with all that is served when it has changed.
    tell : callable, optional
        Called with an event's name and details, for the server's log.
    choice : Choice, optional
        What requests have loaded and unloaded.
    """

    def __init__(
        self,
        workspace: Workspace,
        names: Sequence[str],
        load: Callable[[str], Runtime],
        *,
        publish: Callable[[Served], None] | None = None,
        tell: Callable[..., None] | None = None,
        choice: Choice | None = None,
    ) -> None:
        self._workspace = workspace
        self._choice = choice or Choice()
        self._chosen = self._choice.read()
        self._looking = threading.Lock()  # one look at a time; a look may take seconds
        self._names = tuple(names)
        self._load = load
        self.publish = publish or (lambda _served: None)
        self._tell = tell or (lambda _event, **_details: None)
        self._runtimes: dict[str, Runtime] = {}
        self._waiting: dict[str, Runtime] = {}  # loaded for names of which another version cannot be
        self._wanted: tuple[_Wanted, ...] = ()
        self._head: tuple[int, str] | None = None
        self._stamp = workspace.stamp()
        self._failing: dict[str, str] = {}
        self._again, self._wait = 0.0, INTERVAL
        self._overruled: dict[str, tuple[_Wanted, Deployment]] = {}
        self._lock = threading.Lock()  # guards what is served and what is overruled; nothing slow is done under it
        self.served: Served = {}

    def begin(self) -> Served:
        """Load all that is named, and return it.

        Raises
        ------
        NotFound, Tampered, InputError
            If one of the names stands for nothing, or cannot be loaded; without names, if no deployment can be.
        """
        self._head = self._workspace.audit.head()
        failed: dict[str, Exception] = {}
        self._wanted = self._resolve(failed)
        if not self._wanted and not failed:
            raise InputError(
                "there is nothing to serve", remedy="Name a model, or deploy one: luban deploy NAME MODEL."
            )
        served, loaded = self._build(self._wanted, {}, failed)
        if failed and (self._names or not served):
            raise next(iter(failed.values()))
        if failed:
            self._wanted = tuple(one for one in self._wanted if one.given not in failed)
            self._head = None  # the first look tries again, and tells
        self.served, self._runtimes = self._build(self._wanted, loaded)
        self._waiting = _others(loaded, self._runtimes)
        return self.served

    def wait(self, closing: threading.Event) -> bool:
        """Wait until the next look is due, or there is something for it to see; return whether `closing` was set."""
        if self._stamp is None:
            return closing.wait(INTERVAL)
        due = time.monotonic() + INTERVAL
        while (left := due - time.monotonic()) > 0:
            if closing.wait(min(GLANCE, left)):
                return True
            if self._is_moved():
                return False
        return closing.is_set()

    def _is_moved(self) -> bool:
        """Return whether the audit chain has another end; it is read where anything was written to the store."""
        stamp = self._workspace.stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            return self._workspace.audit.head() != self._head
        except LubanError:  # the look that is due tells
            return False

    def look(self) -> None:
        """Follow the store where it has changed; where it does not answer all stays as it is."""
        with self._looking:
            chosen = self._chosen
            try:
                head = self._workspace.audit.head()
                self._chosen = self._choice.read()  # another process of this server may have changed it
                changed = head != self._head or chosen != self._chosen
                if not changed and not (self._failing and time.monotonic() >= self._again):
                    return
                failed = self._follow()
            except LubanError as error:
                self._chosen, self._head = chosen, None
                self._told({"": error})
                return
            self._head = head
            self._wait = INTERVAL if changed else min(_LONGEST, 2 * self._wait)
            self._again = time.monotonic() + self._wait
            self._told(failed)
            failed.clear()  # an error holds on to what it came through, and so to runtimes that are served no more

    def choose(self, name: str, *, serve: bool, version: str | None = None) -> None:
        """Serve a name from now on, at its newest state, or no more; or no more at one of its versions.

        Raises
        ------
        NotFound, Tampered
            If it stands for nothing, or cannot be loaded; then it stays as it was.
        """
        with self._looking:
            before, waiting = self._chosen, self._waiting
            chosen = self._choice.read()
            if version is not None:
                self._chosen = chosen.leave_out(self._given(name, version))
            else:
                self._chosen = chosen.load(name) if serve else chosen.unload(name)
            try:
                failed = self._follow()
            except LubanError:
                self._chosen = before
                raise
            if serve and name in failed:
                self._chosen, self._waiting = before, waiting
                raise failed.pop(name)
            self._choice.write(self._chosen)

    def _given(self, name: str, version: str) -> list[str]:
        """Return the references as which a version of a name was given."""
        found = [one.given for one in self._wanted if one.name == name and one.model == f"{name}/{version}"]
        if not found:
            raise NotFound(f"the model {name!r} has no version {version!r} here")
        return found

    def _follow(self) -> dict[str, Exception]:
        """Serve what the store says; return what could not be loaded, by the name it was given under."""
        failed: dict[str, Exception] = {}
        wanted = self._resolve(failed)
        there = self._runtimes | self._waiting
        _, runtimes = self._build(wanted, there, failed)  # this may take seconds, in which the old answer
        order = dict.fromkeys([*self._names, *(one.given for one in wanted), *failed])
        with self._lock:
            before = {one.given: one for one in self._wanted if self._chosen.has(one.name, one.given)}
            now = {given: before[given] for given in failed if given in before}
            now |= {one.given: self._ruled(one) for one in wanted if one.given not in failed}
            ruled = tuple(now[given] for given in order if given in now)
            swapped = ruled != self._wanted
            if swapped:
                self._serve(ruled, *self._build(ruled, self._runtimes | runtimes))
            self._waiting = _others(runtimes, self._runtimes)
        if swapped:
            give_back()
        return failed

    def _told(self, failed: Mapping[str, Exception]) -> None:
        """Tell what has begun to fail, or fails otherwise than before; the name is empty where it is the store."""
        errors = {name: str(error) or type(error).__name__ for name, error in failed.items()}
        for name, error in errors.items():
            if self._failing.get(name) != error:
                self._tell("watch-failed", **({"name": name} if name else {}), error=error)
        self._failing = errors

    def overrule(self, seen: Deployment, trial: int, wanted: Deployment) -> None:
        """Serve a deployment otherwise than the store says, until the store says something new.

        Parameters
        ----------
        seen, wanted : Deployment
            As the store has it, and as it is served from now on; of versions that are served already.
        trial : int
            Of `luban.store.deployments.Deployments.trial`: what is served of a later one stays.
        """
        with self._lock:
            for one in self._wanted:
                if (one.deployment, one.began) == (seen, trial):
                    self._overruled[seen.name] = (one, wanted)
            # The others are as they were overruled themselves, which is not what the store says.
            ruled = tuple(self._ruled(one) if one.name == seen.name else one for one in self._wanted)
            self._serve(ruled, *self._build(ruled, self._runtimes))

    def _serve(self, wanted: tuple[_Wanted, ...], served: Served, runtimes: dict[str, Runtime]) -> None:
        self._wanted, self.served, self._runtimes = wanted, served, runtimes
        self.publish(served)
        self._tell("swapped", models=_shown(served))

    def _resolve(self, failed: dict[str, Exception]) -> tuple[_Wanted, ...]:
        """Return what the names stand for; to those that stand for nothing `failed` gets why."""
        deployments = {one.name: one for one in self._workspace.deployments.list()}
        found: list[_Wanted] = []

        def add(name: str) -> None:
            try:
                found.append(self._named(name, deployments))
            except LubanError as error:
                failed[name] = error

        for name in dict.fromkeys(self._names or deployments):
            add(name)
        there = {one.name for one in found}
        for name in self._chosen.loaded:
            if name not in there:
                add(name)
        return tuple(one for one in found if self._chosen.has(one.name, one.given))

    def _named(self, name: str, deployments: Mapping[str, Deployment]) -> _Wanted:
        if name in deployments:
            return self._wanted_of(deployments[name])
        try:
            version = self._workspace.models.get(name)
        except NotFound as error:
            if "/" in name or "@" in name or not deployments:
                raise
            raise NotFound(
                f"no model and no deployment is named {name!r}",
                remedy=f"Deployments: {', '.join(deployments)}. {error.remedy or ''}".strip(),
            ) from error
        return _Wanted(given=name, name=version.name, model=version.reference)

    def _wanted_of(self, deployment: Deployment) -> _Wanted:
        began = self._workspace.deployments.trial(deployment.name) if deployment.canaries else 0
        return _Wanted(given=deployment.name, name=deployment.name, deployment=deployment, began=began)

    def _ruled(self, one: _Wanted) -> _Wanted:
        """Return what is wanted where a rollback has not reached the store yet.

        What the store says anew counts, be it the same traffic again: somebody tries it once more.
        """
        if one.name not in self._overruled:
            return one
        seen, wanted = self._overruled[one.name]
        if one != seen:
            del self._overruled[one.name]
            return one
        return replace(one, deployment=wanted, began=one.began if wanted.canaries else 0)

    def _build(
        self, wanted: Iterable[_Wanted], loaded: Mapping[str, Runtime], failed: dict[str, Exception] | None = None
    ) -> tuple[Served, dict[str, Runtime]]:
        """Return what is served and the runtimes, from those that are loaded and new ones.

        A name of which a version cannot be loaded is left out, and `failed` gets why; its other versions are among the
        runtimes, for the next try. Without `failed` all is loaded already.
        """
        served: Served = {}
        runtimes: dict[str, Runtime] = {}
        for one in wanted:
            mine: dict[str, Runtime] = {}
            try:
                arms = self._arms(one, partial(self._runtime, {**loaded, **runtimes}, mine))
            except Exception as error:  # a model may fail to load in any way; it is told, and others are served
                if failed is None:
                    raise
                failed[one.given] = error
            else:
                served.setdefault(one.name, {})[str(arms.champion.runtime.version)] = arms
            runtimes |= mine
        return served, runtimes

    def _runtime(self, loaded: Mapping[str, Runtime], mine: dict[str, Runtime], reference: str, name: str) -> Runtime:
        """Return the runtime of a version under a name; what it takes is noted in `mine`."""
        if reference not in mine:
            mine[reference] = loaded.get(reference) or self._load(reference)
        found = mine[reference]
        if found.name == name:
            return found
        other = f"{name}={reference}"
        if other not in mine:
            mine[other] = loaded.get(other) or found.named(name)
        return mine[other]

    def _arms(self, one: _Wanted, runtime: Callable[[str, str], Runtime]) -> Arms:
        deployment = one.deployment
        if deployment is None:
            assert one.model is not None
            return Arms(answering=(Arm(runtime=runtime(one.model, one.name), model=one.model),))

        def arm(name: ArmName, reference: str) -> Arm:
            found = runtime(reference, one.name)
            return Arm(runtime=found, name=name, model=reference, deployment=deployment, began=one.began)

        return Arms(
            answering=(arm(CHAMPION, deployment.champion), *(arm(CANARY, each) for each in deployment.canaries)),
            shares=tuple(deployment.traffic.values()),
            shadow=None if deployment.shadow is None else arm(SHADOW, deployment.shadow),
        )


def _others(loaded: Mapping[str, Runtime], served: Mapping[str, Runtime]) -> dict[str, Runtime]:
    return {key: one for key, one in loaded.items() if key not in served}


def _shown(served: Served) -> list[str]:
    return [
        f"{name}: "
        + ", ".join(f"{arm.model} {share:g}" for arm, share in zip(arms.answering, arms.shares, strict=True))
        for name, versions in served.items()
        for arms in versions.values()
    ]
