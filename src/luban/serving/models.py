"""The models that a server answers for, and the threads they run in."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from luban.core.errors import InputError, NotFound
from luban.serving.admission import Admission
from luban.serving.arms import Arm, Arms
from luban.serving.lanes import Lane
from luban.serving.limits import Limits
from luban.serving.observation import Observation
from luban.serving.routed import Routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from luban.core.report import Report
    from luban.serving.answers import Answer
    from luban.serving.asker import Asker
    from luban.serving.runtime import Runtime

Result = TypeVar("Result")


class Repository(Protocol):
    """Changes what is served, when a request of a protocol that knows such calls asks for it."""

    def load(self, name: str) -> None:
        """Serve a model, at its newest state; `NotFound` where there is none."""

    def unload(self, name: str, version: str | None = None) -> None:
        """Serve a name, or one of its versions, no more; `NotFound` where it is not served."""

    def known(self) -> Sequence[tuple[str, str]]:
        """Return (name, version) of all that could be served."""

    def promote(self, name: str, version: str, actor: str | None = None) -> None:
        """Let a version answer where none is asked for."""


class Models:
    """What a wire answers from (the ``runtime`` of `luban.core.protocols.Wire.routes`).

    Parameters
    ----------
    runtimes : iterable of Runtime
        Several versions of one name may be served; the one given last answers where no version is asked for.
    served : mapping of str to mapping of str to Arms, optional
        In place of runtimes: by name and version what answers, of which the last answers where no version is asked
        for.
    limits : Limits, optional
        How much is taken on at once.

    Attributes
    ----------
    tell : callable
        Called with an event's name and details, for the server's log.
    observer : callable, optional
        Is given what arms of deployments were asked and answered; it must not wait.
    figures : callable, optional
        Returns counts of the prediction log and of shadows, for metrics.
    windows : callable, optional
        Returns the last monitored window of each deployment, for metrics.
    repository : Repository, optional
        Loads and unloads models, where what is served may be changed by requests.
    feedback : callable, optional
        Stores labels that clients send, as `luban.serving.feedback` says; without it there is no route for them.
    admission : Admission
        Counts what is being answered.
    """

    def __init__(
        self,
        runtimes: Iterable[Runtime] = (),
        *,
        served: Mapping[str, Mapping[str, Arms]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._served = served if served is not None else _by_version(runtimes)
        if not self._served:
            raise InputError("there is no model to serve", remedy="Name at least one.")
        self.limits = limits or Limits()
        self.admission = Admission(self.limits)
        self.repository: Repository | None = None
        self.feedback: Callable[[Mapping[str, Any], str | None], Any] | None = None
        self.stopping = False
        self.tell: Callable[..., None] = _nobody
        self.observer: Callable[[Observation], None] | None = None
        self.figures: Callable[[], Mapping[str, Mapping[tuple[str, str], int]]] | None = None
        self.windows: Callable[[], Mapping[str, tuple[datetime, Report]]] | None = None
        self._pool = ThreadPoolExecutor(max(2, _processors()), thread_name_prefix="luban-bodies")
        self._lanes: dict[int, tuple[Runtime, Lane]] = {}
        self._lanes_of = self._served

    def replace(self, served: Mapping[str, Mapping[str, Arms]]) -> None:
        """Serve this from now on; requests that have begun are finished by what they began with."""
        self._served = served

    @property
    def names(self) -> tuple[str, ...]:
        """The names that requests may be for."""
        return tuple(self._served)

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the versions that answer under a name; `NotFound` where there is none."""
        return tuple(dict.fromkeys(str(arm.runtime.version) for arms in self._arms(name) for arm in arms.answering))

    def find(self, name: str, version: str | None = None) -> Runtime:
        """Return the runtime whose columns a request must have; without a version the champion's.

        Raises
        ------
        NotFound
            With the nearest names, or the versions there are.
        """
        return self.arms(name, version).champion.runtime

    def arms(self, name: str, version: str | None = None) -> Arms:
        """Return the versions among which rows are shared; of a version that is asked for, itself alone.

        A wire takes them once a request and hands them on, so that a request sees one state although what is
        served changes under it.
        """
        served = self._arms(name)
        if version is None:
            return served[-1]
        for arms in reversed(served):
            arm = arms.version(version)
            if arm is not None:
                return arms if arms.answering == (arm,) else Arms(answering=(arm,))
        raise NotFound(
            f"the model {name!r} has no version {version!r} here", remedy=f"Served: {', '.join(self.versions(name))}."
        )

    def route(self, name: str, version: str | None = None, key: bytes | None = None) -> Arm:
        """Return the arm that answers a row.

        Parameters
        ----------
        key : bytes, optional
            As `Arms.key` gives it; needed only where `Arms.several`. For the rows of one request take `Arms.split`.
        """
        return self.arms(name, version).arm(key)

    def routed(self, name: str, version: str | None, asker: Asker) -> Routed:
        """Return what answers one request to a name: it looks like a runtime, and shares rows among the arms."""
        return Routed(self, self.arms(name, version), asker)

    def shadow(self, name: str) -> Arm | None:
        """Return the arm that sees what is asked of a name and answers nothing, where there is one."""
        served = self._served.get(name)
        return None if not served else list(served.values())[-1].shadow

    def observed(
        self,
        arm: Arm,
        request_id: str,
        rows: Mapping[str, Any] | Sequence[Mapping[str, Any]] | pa.Table,
        answer: Mapping[str, Any] | Answer | None,
        seconds: float,
        error: BaseException | None = None,
        *,
        places: Sequence[int] | None = None,
        subject: str | None = None,
        consent: bool | None = None,
        computed: float | None = None,
    ) -> None:
        """Take note of what an arm answered; called once a request and arm by the wires' common path. Never waits.

        Parameters
        ----------
        request_id : str
            The request's own, which was echoed.
        rows : mapping (one row), sequence of mappings, or pyarrow.Table
            What was asked.
        answer : mapping (of one row, as `Runtime.predict_row` gives it) or Answer, optional
            None where there is none.
        seconds : float
            From the request's arrival to its answer.
        error : exception, optional
            Why there is no answer, where the fault is the model's and not the request's.
        places : sequence of int, optional
            Where these rows stood in the request; by default from 0.
        subject, consent : optional
            The person whom the rows are about, and whether that person agreed, where the request said so.
        computed : float, optional
            Seconds that the model itself took, without waiting for its turn; by default `seconds`.
        """
        if self.observer is not None and arm.deployment is not None:
            moment = time.time_ns() // 1000
            self.observer(
                Observation(
                    arm,
                    request_id,
                    moment,
                    rows,
                    answer,
                    seconds,
                    error,
                    places,
                    subject,
                    consent,
                    seconds if computed is None else computed,
                )
            )

    def served(self) -> tuple[Arms, ...]:
        """Return what answers under every name and version."""
        return tuple(arms for versions in self._served.values() for arms in versions.values())

    def all(self) -> tuple[Runtime, ...]:
        """Return every runtime that answers."""
        return tuple(arm.runtime for arms in self.served() for arm in arms.answering)

    def lane(self, runtime: Runtime) -> Lane:
        """Return the lane in which a runtime is asked; called on the event loop alone."""
        if self._lanes_of is not self._served:
            self._lanes_of = self._served
            alive = {id(one) for one in self.all()}
            for gone in [key for key in self._lanes if key not in alive]:
                self._lanes.pop(gone)[1].close()
        found = self._lanes.get(id(runtime))
        if found is None:
            found = self._lanes[id(runtime)] = (runtime, Lane(runtime, self.limits, self._told))
        return found[1]

    def _told(self, event: str, **details: Any) -> None:
        self.tell(event, **details)  # who is told may change after a lane was made

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return what a function returns that reads or writes a large body, called in a thread.

        What asks a model itself is called in its lane: it may hang, and these threads are everybody's.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """End the threads; a call that hangs is left behind."""
        self._pool.shutdown(wait=True)
        for _, lane in self._lanes.values():
            lane.close()

    def _arms(self, name: str) -> tuple[Arms, ...]:
        served = self._served
        if name not in served:
            raise NotFound.named("model", name, served)
        return tuple(served[name].values())


def _nobody(_event: str, **_details: Any) -> None:
    """Tell nobody."""


def _by_version(runtimes: Iterable[Runtime]) -> dict[str, dict[str, Arms]]:
    served: dict[str, dict[str, Arms]] = {}
    for runtime in runtimes:
        versions, reference = served.setdefault(runtime.name, {}), f"{runtime.name}/{runtime.version}"
        if str(runtime.version) in versions:
            raise InputError(f"{reference} was given twice", remedy="Name each model once.")
        versions[str(runtime.version)] = Arms(answering=(Arm(runtime=runtime, model=reference),))
    return served


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
