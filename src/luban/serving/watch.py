"""What a server answers for, as the store says it now: names of models and deployments, kept up to date.

A look costs one row as long as nothing was changed: every move of an alias or a deployment ends the audit chain anew.
New versions are loaded beside the old ones and take their place at once; requests that an old version is answering
are finished by it.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luban.core.errors import InputError, LubanError, NotFound
from luban.serving.arms import CANARY, CHAMPION, SHADOW, Arm, Arms
from luban.serving.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.model import Deployment
    from luban.serving.arms import ArmName
    from luban.serving.runtime import Runtime
    from luban.store import Workspace

INTERVAL = 0.25
"""Seconds between two looks."""

Served = dict[str, dict[str, Arms]]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a name stands for: a deployment, or one version of a model."""

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
        self._wanted: tuple[_Wanted, ...] = ()
        self._head: tuple[int, str] | None = None
        self._failing = ""
        self._overruled: dict[str, tuple[_Wanted, Deployment]] = {}
        self._lock = threading.Lock()  # guards what is served and what is overruled; nothing slow is done under it
        self.served: Served = {}

    def begin(self) -> Served:
        """Load all that is named, and return it.

        Raises
        ------
        NotFound, Tampered, InputError
            If one of the names stands for nothing, or cannot be loaded.
        """
        self._head = self._workspace.audit.head()
        self._wanted = self._resolve()
        if not self._wanted:
            raise InputError(
                "there is nothing to serve", remedy="Name a model, or deploy one: luban deploy NAME MODEL."
            )
        self.served, self._runtimes = self._build(self._wanted)
        return self.served

    def look(self) -> None:
        """Follow the store where it has changed; where it does not answer all stays as it is."""
        with self._looking:
            chosen = self._chosen
            try:
                head = self._workspace.audit.head()
                self._chosen = self._choice.read()  # another process of this server may have changed it
                if head == self._head and chosen == self._chosen:
                    return
                self._follow()
            except LubanError as error:  # a version that cannot be loaded never takes over
                self._chosen = chosen
                if str(error) != self._failing:
                    self._failing = str(error)
                    self._tell("watch-failed", error=str(error))
                return
            self._head, self._failing = head, ""

    def choose(self, name: str, *, serve: bool) -> None:
        """Serve a name from now on, at its newest state, or no more.

        Raises
        ------
        NotFound, Tampered
            If it stands for nothing, or cannot be loaded; then all stays as it was.
        """
        with self._looking:
            before = self._chosen
            chosen = self._choice.read()
            self._chosen = chosen.load(name) if serve else chosen.unload(name)
            try:
                self._follow()
            except LubanError:
                self._chosen = before
                raise
            self._choice.write(self._chosen)

    def _follow(self) -> None:
        wanted = self._resolve()
        built = self._build(wanted)  # this may take seconds, in which the old versions answer
        with self._lock:
            ruled = tuple(map(self._ruled, wanted))
            if ruled != self._wanted:
                self._serve(ruled, *(built if ruled == wanted else self._build(ruled)))

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
            ruled = tuple(map(self._ruled, self._wanted))
            self._serve(ruled, *self._build(ruled))

    def _serve(self, wanted: tuple[_Wanted, ...], served: Served, runtimes: dict[str, Runtime]) -> None:
        self._wanted, self.served, self._runtimes = wanted, served, runtimes
        self.publish(served)
        self._tell("swapped", models=_shown(served))

    def _resolve(self) -> tuple[_Wanted, ...]:
        deployments = {one.name: one for one in self._workspace.deployments.list()}
        if not self._names:
            found = [self._wanted_of(one) for one in deployments.values()]
        else:
            found = [self._named(name, deployments) for name in dict.fromkeys(self._names)]
        there = {one.name for one in found}
        found += [self._named(name, deployments) for name in self._chosen.loaded if name not in there]
        return tuple(one for one in found if one.name not in self._chosen.unloaded)

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
        return _Wanted(name=version.name, model=version.reference)

    def _wanted_of(self, deployment: Deployment) -> _Wanted:
        began = self._workspace.deployments.trial(deployment.name) if deployment.canaries else 0
        return _Wanted(name=deployment.name, deployment=deployment, began=began)

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

    def _build(self, wanted: tuple[_Wanted, ...]) -> tuple[Served, dict[str, Runtime]]:
        runtimes: dict[str, Runtime] = {}

        def runtime(reference: str, name: str) -> Runtime:
            if reference not in runtimes:
                runtimes[reference] = self._runtimes.get(reference) or self._load(reference)
            found = runtimes[reference]
            if found.name != name:  # the same version under another name, with what it has loaded
                found = runtimes.setdefault(
                    f"{name}={reference}", self._runtimes.get(f"{name}={reference}") or copy.copy(found)
                )
                found.name = name
            return found

        served: Served = {}
        for one in wanted:
            arms = self._arms(one, runtime)
            served.setdefault(one.name, {})[str(arms.champion.runtime.version)] = arms
        return served, runtimes

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


def _shown(served: Served) -> list[str]:
    return [
        f"{name}: "
        + ", ".join(f"{arm.model} {share:g}" for arm, share in zip(arms.answering, arms.shares, strict=True))
        for name, versions in served.items()
        for arms in versions.values()
    ]
