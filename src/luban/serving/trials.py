"""The trials of all canaries of a server: what its processes have counted goes in, verdicts come out."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from luban.core.model import Deployment
from luban.serving.measured import Measured  # noqa: TC001 - read at run time, from JSON
from luban.serving.rollout import Tally, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one process has counted of a deployment since it told last.

    Parameters
    ----------
    deployment : str
    began : int
        Number of the entry of the audit chain by which its traffic became what it is: one for each trial.
    traffic : mapping of str to float
        As of `luban.core.model.Deployment`.
    counts : mapping of str to mapping of str to Tally
        By kind of event and version, what was added.
    wrong : mapping of str to Tally, optional
        By version, all labelled predictions, where they were read anew.
    scores : mapping of str to Measured, optional
        By version, the score of these by the model's own metric, where it was computed anew.
    """

    deployment: str
    began: int
    traffic: Mapping[str, float]
    counts: Mapping[str, Mapping[str, Tally]]
    wrong: Mapping[str, Tally] | None = None
    scores: Mapping[str, Measured] | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """That a canary must go, and why.

    Parameters
    ----------
    deployment : str
    began : int
        Of `Seen`: a verdict says nothing of a later trial.
    canary : str
        Reference of the version.
    why : str
    """

    deployment: str
    began: int
    canary: str
    why: str


class Bench(Protocol):
    """Where counts are judged: in this process, or in the one that several workers have in common."""

    def add(self, seen: Seen) -> None:
        """Take what was counted; never waits."""

    def verdicts(self) -> Sequence[Verdict]:
        """Return what has been decided since the last call."""


class Trials:
    """Judges, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trials: dict[str, tuple[int, Trial]] = {}
        self._decided: dict[str, Verdict] = {}
        self._new: list[Verdict] = []

    def add(self, seen: Seen) -> None:
        """Take what was counted, and judge.

        Of a trial that is over it is said again how it ended: whoever still counts for it has not heard of it.
        """
        name = seen.deployment
        with self._lock:
            began, trial = self._trials.get(name, (0, None))
            if seen.began < began:  # of a trial before this one
                return
            if trial is None or seen.began > began:
                trial = Trial(deployment=Deployment(name=name, traffic=seen.traffic))
                self._trials[name] = (seen.began, trial)
                self._decided.pop(name, None)
            trial.add(seen.counts)
            if seen.wrong is not None:
                trial.labelled(seen.wrong)
            if seen.scores is not None:
                trial.measure(seen.scores)
            if name not in self._decided:
                worse = trial.worse()
                if worse is None:
                    return
                self._decided[name] = Verdict(deployment=name, began=seen.began, canary=worse[0], why=worse[1])
            if self._decided[name] not in self._new:
                self._new.append(self._decided[name])

    def verdicts(self) -> Sequence[Verdict]:
        """Return what has been decided since the last call."""
        with self._lock:
            new, self._new = self._new, []
        return new
