"""Deadlines, Ctrl-C, kills: a study always ends with a model, and goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from search_problems import problem

from luban.execution.deadline import Plan
from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.search import schedule, scratch
from luban.search.result import StudyEvent, StudyResult

Run = Callable[..., StudyResult]


def learners(*names: str) -> list[str]:
    return [f"search_learners:{name}" for name in names]


def test_a_learner_that_hangs_is_killed_at_its_limit(
    study: Run, workers: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take a second of 250, then others have its place."""
    monkeypatch.setattr(schedule, "FIRST_FOLD_SHARE", 0.004)
    told: list[str] = []
    begun = time.monotonic()
    result = study(
        executor=workers,
        learners=learners("Hang", "Ridge", "Slow"),
        deadline=begun + 250,
        on_event=lambda event: told.append(f"{event.kind} {event.message}"),
        stop=lambda: any("Hang" in one for one in told) and any(one.startswith("better") for one in told),
    )
    assert time.monotonic() < begun + 250
    states = {line.learner.partition(":")[2]: line for line in result.leaderboard}
    assert states["Hang"].state == "out of time"
    assert "killed" in states["Hang"].reason
    assert result.score > 0.97


def test_crashing_learners_do_not_stop_the_others(study: Run, workers: LocalExecutor) -> None:
    result = study(executor=workers, learners=learners("Crash", "Ridge"), rounds=4)
    states = {line.learner.partition(":")[2]: line for line in result.leaderboard}
    assert states["Crash"].state == "failed"
    assert "exit code 11" in states["Crash"].reason
    assert result.score > 0.97


@pytest.mark.parametrize("seconds", [0.05, 0.8])
def test_however_short_the_time_there_is_a_model(study: Run, workers: LocalExecutor, seconds: float) -> None:
    result = study(executor=workers, learners=learners("Ridge", "Slow"), deadline=time.monotonic() + seconds)
    assert result.score > 0.9
    assert result.composite.predict(problem()["table"]).shape == (569, 2)


def test_a_plan_keeps_its_seconds_for_the_end(study: Run, workers: LocalExecutor) -> None:
    """Three seconds for the study, a minute and a half for the end: most of it is there when the end begins."""
    plan = Plan.of(93.0, finalise=90.0)
    study(executor=workers, learners=learners("Ridge", "Slow"), plan=plan)
    assert plan.remaining > 45.0


def test_the_first_interrupt_ends_with_the_best_so_far(study: Run, workers: LocalExecutor) -> None:
    def hear(event: StudyEvent) -> None:
        if event.kind == "model":
            os.kill(os.getpid(), signal.SIGINT)

    begun, before = time.monotonic(), signal.getsignal(signal.SIGINT)
    result = study(executor=workers, learners=learners("Ridge", "Slow"), deadline=begun + 280, on_event=hear)
    assert result.interrupted
    assert result.score > 0.9
    assert time.monotonic() < begun + 250
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_is_at_once(study: Run, workers: LocalExecutor) -> None:
    def hear(event: StudyEvent) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        study(executor=workers, learners=learners("Ridge", "Slow"), deadline=time.monotonic() + 280, on_event=hear)


def test_a_wish_to_stop_works_in_any_thread(study: Run) -> None:
    """A server runs studies in threads that get no signals."""
    found: list[StudyResult] = []
    wish = threading.Event()

    def work() -> None:
        found.append(study(learners=learners("Ridge", "Slow"), deadline=time.monotonic() + 280, stop=wish.is_set))

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.6)
    wish.set()
    thread.join(250)
    assert found
    assert found[0].interrupted
    assert found[0].score > 0.9


def payloads(result: StudyResult) -> dict[str, bytes]:
    return dict(result.composite.save())


def test_rounds_give_the_same_bytes_in_process_and_in_any_number_of_workers(
    study: Run, workers: LocalExecutor, tmp_path: Path
) -> None:
    """Nothing may depend on the clock, or on which fold happens to finish first."""
    options = {"rounds": 9, "seed": 3, "learners": learners("Ridge", "Weak")}
    results = [study(folder=tmp_path / "a", executor=InlineExecutor(), **options)]
    results.append(study(folder=tmp_path / "b", executor=workers, **options))
    with LocalExecutor(workers=1, threads=1) as other:
        results.append(study(folder=tmp_path / "c", executor=other, **options))
    for other_result in results[1:]:
        assert payloads(other_result) == payloads(results[0])
        assert np.array_equal(other_result.predictions, results[0].predictions)
        assert other_result.recipe == results[0].recipe


def test_another_seed_gives_another_model(study: Run, tmp_path: Path) -> None:
    first = study(folder=tmp_path / "a", rounds=5, seed=0)
    second = study(folder=tmp_path / "b", rounds=5, seed=1)
    assert not np.array_equal(first.predictions, second.predictions)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from search_problems import problem
from luban.execution.local import LocalExecutor
from luban.search.study import run_study
run_study(
    **problem(), folder=Path({folder!r}), executor=LocalExecutor(workers=1, threads=1), rounds=3, seed=3,
    learners=["search_learners:Brief"],
)
"""


def finished(folder: Path) -> dict[str, int]:
    """Return the finished folds, and when each was written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("folds/*/*/result.json")}


def test_a_killed_study_goes_on_with_the_finished_folds(study: Run, tmp_path: Path) -> None:
    """Killed with SIGKILL in the middle, resumed, and the same bytes as one that was never killed."""
    folder = tmp_path / "killed"
    script = SCRIPT.format(here=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "HOLD_AFTER_FIVE": str(folder)})
    until = time.monotonic() + 250
    while len(finished(folder)) < 5 and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()
    process.wait()
    kept = finished(folder)
    assert len(kept) == 5
    options = {"rounds": 3, "seed": 3, "learners": learners("Brief")}
    resumed = study(folder=folder, resume=True, **options)
    now = finished(folder)
    assert all(now[path] == moment for path, moment in kept.items()), "what was finished is not done again"
    untouched = study(folder=tmp_path / "untouched", **options)
    assert payloads(resumed) == payloads(untouched)


def test_half_a_result_is_no_result(study: Run, tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    study(rounds=1)
    place = next(iter(folder.glob("folds/*/003")))
    place.rename(place.with_name("003.99.partial"))
    assert scratch.read_result(folder, place.parent.name, 3) is None
    study(rounds=1, resume=True)
    assert scratch.read_result(folder, place.parent.name, 3) is not None


def test_the_same_folder_is_begun_anew_without_resume(study: Run, tmp_path: Path) -> None:
    study(rounds=2)
    before = finished(tmp_path / "scratch")
    study(rounds=2)
    after = finished(tmp_path / "scratch")
    assert before.keys() == after.keys()
    assert all(after[path] > moment for path, moment in before.items())


def test_other_rows_in_the_same_folder_are_not_mixed_up(study: Run) -> None:
    """A warm worker must not go on with the rows that it has mapped for an earlier study."""
    assert study(rounds=1).score > 0.9
    noise = np.random.default_rng(0).integers(0, 2, len(problem()["target"]))
    assert abs(study(rounds=1, target=noise).score - 0.5) < 0.1
