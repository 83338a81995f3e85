"""What is looked at before a study begins: what each dear fit would take, and what would spoil it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.protocols import Alternative, Forecast
from luban.core.report import Finding
from luban.execution.resources import resources
from luban.search.candidate import words_of
from luban.search.look import STARTING_SECONDS, Seen, ask, ask_others, can_tell, forecasts
from luban.search.schedule import FIRST_FOLD_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from luban.core.protocols import Executor
    from luban.search.candidate import Candidate

# Of the time of a study: a look at one candidate, and at all of them.
_ONE_SHARE, _ALL_SHARE = 0.04, 0.1
_LEAST_SECONDS, _MOST_SECONDS = 4.0, 30.0
# A shorter study looks at nothing, as it would wait for its first model the longer: its fits keep to their deadlines by
# themselves. A plan alone looks at all there is, at its leisure.
_WORTH_SECONDS = 25.0
_LEISURE_SECONDS = 30.0
# In a longer study what could not be looked at in time keeps its place: its fit keeps to its share of the time by
# itself. In a shorter one it comes after all others.
_LONG_SECONDS = 120.0
# A way of the same learner is not looked at where even so small a share of what its fellow takes is more than it may
# take: the look would cost seconds, and those belong to the fits.
_FELLOW_SHARE = 0.5
# Of the machine's memory a fit may take so much.
_MEMORY_SHARE = 0.85


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One candidate of the portfolio as it stands before the work.

    Parameters
    ----------
    seconds : float, optional
        As they were forecast, see `luban.core.protocols.Forecast`; None where its learner makes no forecasts.
    memory : int, optional
        Bytes.
    reason : str
        Why it is left out; empty where it is tried.
    note : str
        What was measured.
    """

    learner: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    memory: int | None = None
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What was seen before a study.

    Parameters
    ----------
    portfolio : tuple of Candidate
        Those that are tried, in order.
    plan : tuple of Planned
        All of them.
    findings : tuple of Finding
        What would spoil fits, or is worth knowing; each once.
    """

    portfolio: tuple[Candidate, ...]
    plan: tuple[Planned, ...] = ()
    findings: tuple[Finding, ...] = ()


def look_ahead(
    portfolio: Sequence[Candidate],
    *,
    folder: Path,
    executor: Executor,
    seconds: float,
    seed: int,
    cache: str | None,
    named: Sequence[str] = (),
    most: int | None = None,
    alone: bool = False,
) -> Ahead:
    """Ask the learners that can tell, in a worker, what their fits would take and what would spoil them.

    Parameters
    ----------
    folder : Path
        Of the study; its rows are there.
    seconds : float
        Left to the study; infinite for a budget in rounds, where no clock decides: a look takes as long as it takes.
    named : sequence of str
        Learners that were asked for by name: what spoils one of them is an error, not a reason to leave it out.
    most : int, optional
        So many candidates are tried, and no more are looked at.
    alone : bool
        Whether no study follows, so that there is time to look at everything.

    Raises
    ------
    InputError
        If what was found forbids every candidate, or one that was asked for by name.
    """
    lines: list[Planned] = []
    tried: list[Candidate] = []
    last: list[Candidate] = []
    overdue: list[tuple[float, int, Candidate]] = []
    findings: dict[str, Finding] = {}
    slow: set[str] = set()
    dear: set[str] = set()
    left, looking = seconds, _Looking(seconds, alone=alone)
    short = seconds < _WORTH_SECONDS
    for candidate in portfolio:
        if most is not None and len(tried) >= most:
            break
        seen = Seen()
        known = candidate.learner in {line.learner for line in lines}
        share = candidate.share or FIRST_FOLD_SHARE
        fellow = _fellow(lines, candidate)
        far = not alone and _FELLOW_SHARE * fellow > share * left
        if far:
            words = f"a fellow of it takes about {fellow:.0f} s and {share * left:.0f} s are its share of the time"
            seen = Seen(unsuitable=words)
        elif candidate.learner in slow:  # the worker would begin anew, and be too late again
            seen = Seen(slow=True)
        elif looking.has_time and can_tell(candidate.learner):
            limit = max(_LEAST_SECONDS, min(_MOST_SECONDS, _ONE_SHARE * seconds)) if seconds < math.inf else math.inf
            limit = _LEISURE_SECONDS if alone else limit
            seen = ask(candidate, folder, executor, limit=limit, seed=seed, cache=cache, inspect=not known)
            slow |= {candidate.learner} if seen.slow else set()
            looking.looked(slow=seen.slow)
        findings |= {finding.what: finding for finding in seen.findings}
        blocking = next((finding for finding in seen.findings if finding.verdict == "block"), None)
        if blocking is not None and candidate.learner in named:
            raise InputError(blocking.what, seen=_words(blocking.value), remedy=blocking.remedy or None)
        reason = blocking.what if blocking is not None else _too_much(seen)
        late = "" if reason or short else _too_long(seen, share * left, left)  # who did not look could not leave it out
        overdue += [(_needs(seen.forecast), len(lines), candidate)] if late else []
        lines.append(
            Planned(
                learner=candidate.learner,
                parameters=dict(candidate.parameters),
                seconds=None if seen.forecast is None else seen.forecast.seconds,
                memory=None if seen.forecast is None else seen.forecast.memory,
                reason=reason or late,
                note=_note(seen, late=seconds < _LONG_SECONDS and forecasts(candidate.learner)),
            )
        )
        dear |= {candidate.learner} if reason or late else set()
        if not reason and not late:
            # What there was no time to look at is likely to be as dear as its fellow that was looked at; what learns
            # from as many rows as it has time for is not.
            unknown = seen.forecast is None and candidate.learner in dear
            # Of what tells what would spoil it, and no more, nothing about its length was to be learnt.
            unseen = seen.slow and candidate.once and seconds < _LONG_SECONDS and forecasts(candidate.learner)
            (last if unknown or unseen else tried).append(replace(candidate, needs=_needs(seen.forecast)))
            # What is fitted once takes all that it may.
            left -= share * left if candidate.once and left < math.inf else 0.0
    tried += last
    if not tried and overdue:
        tried = [_begun_all_the_same(overdue, lines, findings)]
    if alone or not short:
        own = [line for line in lines if line.learner not in slow]
        lines += _compared(own, folder, executor, seconds=seconds, alone=alone, seed=seed)
    if not tried:
        _forbid(findings.values())
    return Ahead(portfolio=tuple(tried), plan=tuple(lines), findings=tuple(findings.values()))


def _begun_all_the_same(
    overdue: Sequence[tuple[float, int, Candidate]], lines: list[Planned], findings: dict[str, Finding]
) -> Candidate:
    """Return the least dear of the candidates that take too long; whoever asks for them alone gets a model."""
    _, place, candidate = min(overdue, key=lambda one: one[:2])
    words = f"{candidate.learner} {words_of(candidate.parameters)}".strip()
    what = f"{words} learns for as long as there is time, as nothing else takes part: {lines[place].reason}"
    findings[what] = Finding(what=what, verdict="warn", remedy="Give a larger budget.")
    lines[place] = replace(lines[place], reason="")
    return candidate


def _forbid(findings: Iterable[Finding]) -> None:
    """Refuse a study of which nothing is left, where one of the findings says why."""
    worst = next((finding for finding in findings if finding.verdict == "block"), None)
    if worst is not None:
        raise InputError(worst.what, seen=_words(worst.value), remedy=worst.remedy or None)


class _Looking:
    """How much of a study's time its looks may take."""

    def __init__(self, seconds: float, *, alone: bool) -> None:
        self._seconds, self._alone = seconds, alone
        self._begun, self._first = time.monotonic(), True

    @property
    def has_time(self) -> bool:
        """Whether one more may be begun."""
        if self._alone or self._seconds < _WORTH_SECONDS:
            return self._alone
        return time.monotonic() - self._begun < _ALL_SHARE * self._seconds

    def looked(self, *, slow: bool) -> None:
        """Take note of a look; what the worker imported in the first one its fits would have imported as well."""
        if self._first and not slow:
            self._begun = time.monotonic()
        self._first = False


def told(ahead: Ahead) -> list[str]:
    """Return in words what was forecast and found, a line each."""
    lines = [f"{finding.what}. {finding.remedy}".strip() for finding in ahead.findings]
    for line in ahead.plan:
        words = f"{line.learner} {words_of(line.parameters)}".strip()
        if line.reason:
            lines.append(f"left out: {words}: {line.reason}")
        elif line.seconds is not None and line.memory is not None:
            lines.append(f"{words}: about {line.seconds:.0f} s, {line.memory / 1e9:.1f} GB")
        elif line.note:
            lines.append(f"{words}: {line.note}")
    return lines


def _fellow(lines: Sequence[Planned], candidate: Candidate) -> float:
    """Return the seconds of the quickest candidate of the same learner, 0 where none was forecast."""
    known = [line.seconds for line in lines if line.learner == candidate.learner and line.seconds is not None]
    return min(known) if known and candidate.once else 0.0


def _needs(forecast: Forecast | None) -> float:
    """Return the seconds without which a fit is not begun; 0 where nobody knows."""
    if forecast is None:
        return 0.0
    return forecast.seconds if forecast.least is None else forecast.least


def _compared(
    lines: Sequence[Planned], folder: Path, executor: Executor, *, seconds: float, alone: bool, seed: int
) -> list[Planned]:
    """Return what the other ways of the learners that were looked at would take."""
    spare = _LEISURE_SECONDS if alone else 0.0
    limit = spare + STARTING_SECONDS if alone or seconds < math.inf else None
    return [
        other
        for learner in dict.fromkeys(line.learner for line in lines)
        for other in _others(
            learner,
            [line for line in lines if line.learner == learner],
            folder,
            executor,
            seconds=spare,
            limit=limit,
            seed=seed,
        )
    ]


def _others(
    learner: str,
    own: Sequence[Planned],
    folder: Path,
    executor: Executor,
    *,
    seconds: float,
    limit: float | None,
    seed: int,
) -> list[Planned]:
    """Return what the ways of a learner that only a search would try would take, see `ask_others`."""
    measured = [
        Alternative(parameters=line.parameters, forecast=Forecast(seconds=line.seconds, memory=line.memory))
        for line in own
        if line.seconds is not None and line.memory is not None
    ]
    found = ask_others(learner, measured, folder, executor, seconds=seconds, limit=limit, seed=seed)
    if isinstance(found, str):
        return [Planned(learner=learner, note=found)]
    known = {words_of(line.parameters) for line in own}
    return [
        Planned(
            learner=learner,
            parameters=dict(one.parameters),
            seconds=None if one.forecast is None else one.forecast.seconds,
            memory=None if one.forecast is None else one.forecast.memory,
            reason=one.reason,
            note="" if one.forecast is None else f"a search may try it: {one.forecast.note}",
        )
        for one in found
        if words_of(one.parameters) not in known
    ]


def _too_much(seen: Seen) -> str:
    """Return why a candidate that was looked at cannot be fitted here, or nothing."""
    if seen.unsuitable or seen.forecast is None:
        return seen.unsuitable
    # A network on a GPU takes the GPU's memory; its rows, and what was read of them, that of the machine.
    machine, room = resources().memory, seen.forecast.room
    needs = [(seen.forecast.memory, machine if room is None else room), (seen.forecast.host, machine)]
    for needed, there in needs:
        if needed > _MEMORY_SHARE * there:
            return f"it would take {needed / 1e9:.1f} GB of memory and there are {there / 1e9:.1f} GB"
    return ""


def _too_long(seen: Seen, allowed: float, left: float) -> str:
    """Return why there is no time for a candidate, or nothing."""
    if math.isfinite(left) and _needs(seen.forecast) > allowed:
        return f"it would take {_needs(seen.forecast):.0f} s at least and {allowed:.0f} s are its share of the time"
    return ""


def _note(seen: Seen, *, late: bool) -> str:
    """Return what was measured, or that nothing could be."""
    if seen.forecast is not None:
        return seen.forecast.note
    return f"there was no time to look at it{', so it comes last' if late else ''}" if seen.slow else ""


def _words(value: Any) -> str | None:
    return None if value is None else str(value)
