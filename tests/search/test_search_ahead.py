"""What a study knows before it begins, and what it does with fits that are too dear to repeat."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from search_problems import problem

from luban.core.errors import InputError, OutOfTime
from luban.core.protocols import Forecast, Job
from luban.execution.inline import InlineExecutor
from luban.execution.resources import Resources
from luban.search import ahead as ahead_of
from luban.search import look as look_of
from luban.search import scratch
from luban.search.candidate import Candidate
from luban.search.look import Seen
from luban.search.study import plan_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from luban.execution.local import LocalExecutor
    from luban.search.result import StudyResult

DEAR, RIDGE = "search_learners:Dear", "search_learners:Ridge"


def test_what_is_fitted_once_keeps_its_first_fold(
    study: Callable[..., StudyResult], workers: LocalExecutor, tmp_path: Path
) -> None:
    """It learns from the first fold's rows alone, with all processors, and is not learnt again; its curve is kept."""
    cache = tmp_path / "cache"
    cache.mkdir()
    result = study(learners=[DEAR], executor=workers, deadline=time.monotonic() + 280, cache=cache)
    fits = (cache / "fits.txt").read_text().split("\n")[:-1]
    assert len(fits) == 1
    learnt, threads = map(int, fits[0].split())
    assert learnt < 569
    assert threads == 2
    (line,) = (one for one in result.leaderboard if one.score is not None)
    assert line.folds == 1
    assert 569 - learnt == len(result.kept_out) > 50, "what the first fold judged is kept out of the model"
    assert np.array_equal(result.kept_out, result.rows)
    assert line.curve == ((0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3)))
    assert len(result.composite.members) == 1
    assert not list((tmp_path / "scratch" / "checkpoints").rglob("state.json"))


def test_what_will_not_fit_is_left_out_in_words(
    study: Callable[..., StudyResult], workers: LocalExecutor, tmp_path: Path
) -> None:
    """The candidate that takes too long is on the leaderboard with its seconds; findings reach the result."""
    (tmp_path / "cache").mkdir()
    told: list[str] = []
    result = study(
        learners=[DEAR],
        executor=workers,
        deadline=time.monotonic() + 280,
        cache=tmp_path / "cache",
        on_event=lambda event: told.append(event.message) if event.kind == "plan" else None,
    )
    (left_out,) = (one for one in result.leaderboard if one.state == "unsuitable")
    assert "1000000000 s at least" in left_out.reason
    assert [finding.what for finding in result.findings] == ["a text is cut"]
    assert any("a text is cut. Make it shorter." in message for message in told)


def test_what_forbids_a_fit_that_was_asked_for_is_an_error(
    study: Callable[..., StudyResult], workers: LocalExecutor
) -> None:
    """A verdict of block refuses a learner that was named, with what is wrong and its fix."""
    with pytest.raises(InputError, match=r"no row bears a label.*Give labels"):
        study(learners=["search_learners:Blocked"], executor=workers, deadline=time.monotonic() + 280)


def test_a_plan_fits_nothing(tmp_path: Path) -> None:
    """A plan tells seconds, memory and reasons; no fold is there afterwards."""
    ahead = plan_study(
        **problem(),
        folder=tmp_path / "plan",
        executor=InlineExecutor(),
        seconds=100.0,
        learners=[DEAR, RIDGE],
    )
    lines = [(line.learner, line.seconds, bool(line.reason)) for line in ahead.plan]
    assert lines == [(DEAR, 0.5, False), (DEAR, 1e9, True), (RIDGE, None, False), (RIDGE, None, False)]
    assert ahead.plan[0].memory == 1000
    assert not any((tmp_path / "plan" / "folds").iterdir())


def test_a_plan_tells_of_every_way_and_at_every_budget(tmp_path: Path) -> None:
    """What only a search would try is told too, with its reason where it cannot be done; a short study does not
    look, but its plan does, and leaves nothing out that the study would begin."""
    for seconds in (100.0, 10.0):
        ahead = plan_study(
            **problem(),
            folder=tmp_path / f"plan{seconds:.0f}",
            executor=InlineExecutor(),
            seconds=seconds,
            learners=["search_learners:Several"],
        )
        assert [(line.parameters.get("way"), line.seconds, line.reason) for line in ahead.plan] == [
            (None, 0.5, ""),
            ("other", 1.0, ""),
            ("none", None, "the body has no such layer"),
        ]
        assert ahead.plan[1].note == "a search may try it: tried"
        assert len(ahead.portfolio) == 1
    short = plan_study(**problem(), folder=tmp_path / "short", executor=InlineExecutor(), seconds=10.0, learners=[DEAR])
    assert [(line.seconds, line.reason) for line in short.plan] == [(0.5, ""), (1e9, "")]


def test_what_is_far_too_dear_by_its_fellow_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look takes seconds of the fits: none is taken where half of what its fellow takes is more than there is; a plan
    alone looks all the same."""
    asked: list[float] = []

    def told(candidate: Candidate, *_: Any, **__: Any) -> Any:
        asked.append(candidate.parameters["forecast"])
        return Seen(forecast=Forecast(seconds=candidate.parameters["forecast"], memory=1))

    monkeypatch.setattr(ahead_of, "ask", told)
    portfolio = [
        Candidate(learner=DEAR, parameters={"forecast": seconds}, once=True, share=0.6) for seconds in (50.0, 45.0)
    ]

    def looked(**options: Any) -> list[str]:
        asked.clear()
        found = ahead_of.look_ahead(
            portfolio, folder=tmp_path, executor=InlineExecutor(), seconds=100.0, seed=0, cache=None, **options
        )
        return [line.reason for line in found.plan if line.learner == DEAR]

    assert looked() == ["", "a fellow of it takes about 50 s and 24 s are its share of the time"]
    assert asked == [50.0]
    assert looked(alone=True)[1].startswith("it would take 45 s")
    assert asked == [50.0, 45.0]


def test_before_a_study_other_ways_share_what_was_measured(tmp_path: Path) -> None:
    """No step is tried for them: the time belongs to the study."""
    several = ["search_learners:Several"]
    plan = plan_study(**problem(), folder=tmp_path, executor=InlineExecutor(), seconds=100.0, learners=several)
    ahead = ahead_of.look_ahead(
        plan.portfolio, folder=tmp_path, executor=InlineExecutor(), seconds=100.0, seed=0, cache=None
    )
    told = {str(line.parameters.get("way")): line for line in ahead.plan}
    assert told["other"].seconds == 1.0
    assert told["other"].note.endswith("shared")


@pytest.mark.long
def test_in_rounds_other_ways_are_told_however_long_it_takes(tmp_path: Path) -> None:
    """No worker is ended by a clock then; where one is, for want of time, the plan says so."""

    class Asked(InlineExecutor):
        jobs: ClassVar[list[Job]] = []

        def submit(self, job: Job) -> int:
            self.jobs.append(job)
            return super().submit(job)

    class Ended(Asked):
        def submit(self, job: Job) -> int:
            number = super().submit(job)
            if job.function.endswith("compare"):
                self.cancel(number)
            return number

    several = ["search_learners:Several"]
    plan = plan_study(**problem(), folder=tmp_path, executor=InlineExecutor(), seconds=100.0, learners=several)
    for executor, seconds in ((Asked(), math.inf), (Ended(), 100.0)):
        executor.jobs.clear()
        found = ahead_of.look_ahead(
            plan.portfolio, folder=tmp_path, executor=executor, seconds=seconds, seed=0, cache=None
        )
        assert [job.function.partition(":")[2] for job in executor.jobs] == ["look", "compare"]
        assert {job.deadline is None for job in executor.jobs} == {seconds == math.inf}
        told = [line.parameters.get("way") or line.note for line in found.plan[1:]]
        assert told == (["other", "none"] if seconds == math.inf else ["there was no time to tell its other ways"])


@pytest.mark.parametrize(("room", "reason"), [(None, ""), (2 * 10**15, ""), (10**12, "1000.0 GB")])
def test_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch, room: int | None, reason: str) -> None:
    """What computes on a GPU is compared with the memory of the GPU, whatever the machine has."""
    there = Resources(cpus=2, memory=10**16 if room is None else 10**9)
    monkeypatch.setattr(ahead_of, "resources", lambda: there)
    seen = Seen(forecast=Forecast(seconds=1.0, memory=10**15, room=room))
    found = ahead_of._too_much(seen)
    assert (reason in found) if reason else not found


@pytest.mark.parametrize(("host", "reason"), [(5 * 10**8, ""), (2 * 10**9, "2.0 GB of memory and there are 1.0 GB")])
def test_what_a_device_leaves_to_the_machine_is_held_against_the_machine(
    monkeypatch: pytest.MonkeyPatch, host: int, reason: str
) -> None:
    """Rows that wait for a GPU, and what it read of them, are in the machine's memory."""
    monkeypatch.setattr(ahead_of, "resources", lambda: Resources(cpus=2, memory=10**9))
    seen = Seen(forecast=Forecast(seconds=1.0, memory=10**9, room=10**10, host=host))
    found = ahead_of._too_much(seen)
    assert (reason in found) if reason else not found


def test_what_makes_do_with_less_is_not_left_out() -> None:
    """A learner that learns from as many rows as it has time for is held to the least it needs."""
    forecast = Forecast(seconds=500.0, memory=1, least=2.0)
    assert not ahead_of._too_long(Seen(forecast=forecast), 20.0, 60.0)
    assert ahead_of._needs(forecast) == 2.0
    assert "2 s at least" in ahead_of._too_long(Seen(forecast=forecast), 1.0, 60.0)


def test_what_was_asked_for_alone_is_tried_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget ends with a model: of candidates that all take too long the least dear one learns for as long as there
    is time, and that is said; one that takes too much memory is not begun."""
    portfolio = [Candidate(learner=DEAR, parameters={"forecast": one}, once=True, share=0.6) for one in (99.0, 70.0)]
    memory = 1

    def told(candidate: Candidate, *_: Any, **__: Any) -> Any:
        return Seen(forecast=Forecast(seconds=candidate.parameters["forecast"], memory=memory))

    monkeypatch.setattr(ahead_of, "ask", told)
    monkeypatch.setattr(ahead_of, "_FELLOW_SHARE", 0.0)
    found = ahead_of.look_ahead(
        portfolio, folder=tmp_path, executor=InlineExecutor(), seconds=100.0, seed=0, cache=None
    )
    assert [one.parameters["forecast"] for one in found.portfolio] == [70.0]
    assert found.portfolio[0].needs == 0.0, "the schedule begins it all the same"
    assert [bool(line.reason) for line in found.plan] == [True, False]
    assert "it would take 70 s at least and 60 s are its share" in found.findings[0].what
    memory = 10**18
    assert not ahead_of.look_ahead(
        portfolio, folder=tmp_path, executor=InlineExecutor(), seconds=100.0, seed=0, cache=None
    ).portfolio


def test_without_a_clock_nothing_is_too_slow(tmp_path: Path) -> None:
    """A budget in rounds takes the slow candidate too."""
    ahead = plan_study(
        **problem(), folder=tmp_path / "plan", executor=InlineExecutor(), seconds=math.inf, learners=[DEAR]
    )
    assert [line.reason for line in ahead.plan] == ["", ""]


def test_in_rounds_a_look_takes_its_time_and_only_what_is_tried_is_looked_at(
    study: Callable[..., StudyResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No limit in seconds that a slow machine would miss, for one candidate where one round was asked for."""
    (tmp_path / "cache").mkdir()
    limits: list[float] = []

    def asked(candidate: Any, *_: Any, limit: float, **__: Any) -> Any:
        limits.append(limit)
        return Seen()

    monkeypatch.setattr(ahead_of, "ask", asked)
    result = study(learners=[DEAR], rounds=1, cache=tmp_path / "cache")
    assert limits == [math.inf]
    assert [line.state for line in result.leaderboard] == ["finished"]


@pytest.mark.parametrize(
    ("seconds", "order"), [(150.0, [DEAR, DEAR, RIDGE, RIDGE]), (60.0, [RIDGE, RIDGE, DEAR, DEAR])]
)
def test_what_could_not_be_looked_at_is_asked_once_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, order: list[str]
) -> None:
    """No time is lost on a second look at the same learner; in a long study the candidate keeps its place."""
    asked: list[str] = []

    def late(candidate: Any, *_: Any, **__: Any) -> Any:
        asked.append(candidate.learner)
        return Seen(slow=True)

    monkeypatch.setattr(ahead_of, "ask", late)
    ahead = plan_study(
        **problem(),
        folder=tmp_path / "plan",
        executor=InlineExecutor(),
        seconds=seconds,
        learners=[DEAR, RIDGE],
    )
    assert asked == [DEAR]
    assert [one.learner for one in ahead.portfolio] == order
    assert sum("no time to look at it" in line for line in ahead_of.told(ahead)) == 2


def test_what_makes_no_forecast_keeps_its_place_where_its_look_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look for what would spoil a fit is no reason to put it last: how long it takes was not to be learnt."""
    monkeypatch.setattr(ahead_of, "ask", lambda *_, **__: Seen(slow=True))
    ahead = plan_study(
        **problem(),
        folder=tmp_path / "plan",
        executor=InlineExecutor(),
        seconds=60.0,
        learners=["search_learners:Checked", RIDGE],
    )
    assert [one.learner for one in ahead.portfolio] == ["search_learners:Checked", RIDGE, RIDGE]
    assert any(line.endswith("there was no time to look at it") for line in ahead_of.told(ahead))


def test_a_look_that_runs_out_of_time_leaves_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine a probe may not end; the fit is tried all the same. What fails otherwise is left out, and what
    ends its worker is left out with the memory that was not enough."""

    def fail(error: Exception) -> list[str]:
        def look(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr(look_of, "look", look)
        found = plan_study(
            **problem(),
            folder=tmp_path / type(error).__name__,
            executor=InlineExecutor(),
            seconds=100.0,
            learners=[DEAR],
        )
        return [line.reason for line in found.plan]

    class WorkerDied(Exception):
        pass

    assert fail(OutOfTime("the time is over")) == ["", ""]
    monkeypatch.setattr(look_of, "resources", lambda: Resources(cpus=2, memory=4 * 10**9))
    dead = "a probe of it died, as its fit would, on this machine with 4.0 GB of memory: it was killed"
    assert fail(WorkerDied("it was killed")) == [dead, dead]
    assert all("it cannot be read" in reason for reason in fail(InputError("it cannot be read")))


def test_the_first_look_does_not_take_the_time_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is waited for the worker imports what fits need as well; the looks after it still have their share."""
    clock = [0.0]
    asked: list[Any] = []

    def long(candidate: Any, *_: Any, **__: Any) -> Any:
        asked.append(candidate.parameters.get("forecast"))
        clock[0] += 12.0
        return Seen(forecast=Forecast(seconds=1.0, memory=1))

    monkeypatch.setattr(ahead_of, "ask", long)
    monkeypatch.setattr(ahead_of, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    plan = plan_study(**problem(), folder=tmp_path, executor=InlineExecutor(), seconds=100.0, learners=[DEAR])
    asked.clear()
    once = [*plan.portfolio, *plan.portfolio]
    ahead_of.look_ahead(once, folder=tmp_path, executor=InlineExecutor(), seconds=100.0, seed=0, cache=None)
    assert len(once) == 4
    assert len(asked) == 2, "the first is free, the second ends the tenth that is left to looks"


def test_a_curve_is_thinned() -> None:
    """Of thousands of steps some two hundred are kept, the last one among them, and none that is no number."""
    from luban.core.curves import thinned

    curve = [(step, float(step)) for step in range(5_000)] + [(5_000, math.nan)]
    thin = thinned(curve)
    assert 150 <= len(thin) <= 200
    assert thin[0] == (0, 0.0)
    assert thin[-1] == (4_999, 4_999.0)
    assert thinned([]) == ()
    assert thinned(curve[:3]) == tuple(curve[:3])


def test_what_a_model_tells_of_its_fit_is_kept_with_its_fold(tmp_path: Path) -> None:
    """Its curves are thinned out; the loss that it tells is whole where what was reported begins after a kill."""
    from luban.search.fold import fit_fold

    plan_study(**problem(), folder=tmp_path, executor=InlineExecutor(), seconds=math.inf, learners=[RIDGE])
    arguments = {"folder": str(tmp_path), "fold": 0, "seconds": None, "deadline": None, "cache": str(tmp_path)}
    arguments["parameters"] = {"strength": 1.0}
    for key, learner in (("told", "search_learners:Recounted"), ("plain", DEAR)):
        fit_fold(lambda _: True, **arguments, key=key, learner=learner, threads=1, seed=0)
    result = scratch.read_result(tmp_path, "told", 0)
    assert result is not None
    assert result.curve == ((1, 0.75), (2, 0.5), (3, 0.25)), "not what was reported, which is the last of it alone"
    assert set(result.curves) == {"training_loss"}
    assert 150 <= len(result.curves["training_loss"]) <= 200
    assert all(math.isfinite(value) for _, value in result.curves["training_loss"])
    plain = scratch.read_result(tmp_path, "plain", 0)
    assert plain is not None
    assert [step for step, _ in plain.curve] == [0, 1, 2], "others keep what was reported"
    assert plain.curves == {}


def test_what_no_other_fit_takes_again_is_not_reserved() -> None:
    """Seconds that went into the cache are not expected of another fit."""
    result = scratch.FoldResult(loss=0.1, seconds=30.0, learned={}, kept_seconds=28.0, bytes=100, tensors=90)
    assert result.again_seconds == 2.0
    assert result.searched_bytes == 10
