"""The end of a study: learn the members again, put them together, calibrate, and write down what happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import LubanError, OutOfTime
from luban.core.recipe import Recipe, Step
from luban.evaluation.metrics import metric
from luban.learners.composite import Composite
from luban.search import scratch
from luban.search.calibrate import calibrate
from luban.search.candidate import seed_of, words_of
from luban.search.course import LISTEN, disturbs
from luban.search.final import Ending, ending, refit_candidate, refit_seconds
from luban.search.fold import fit_fold
from luban.search.learners import learner_named
from luban.search.result import LeaderboardRow, StudyResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.protocols import Model
    from luban.search.ahead import Ahead
    from luban.search.candidate import Candidate
    from luban.search.course import Course
    from luban.search.scratch import Rows
    from luban.search.standing import Standing
    from luban.search.trial import Trial


def finish(
    course: Course, *, unsuitable: Mapping[str, str], ahead: Ahead, begun: float, interrupted: Callable[[], bool]
) -> StudyResult:
    """Return the result of a study whose search has ended.

    Raises
    ------
    LubanError
        If no candidate has finished even one fold, and none can.
    """
    standing = course.standing or _last_resort(course, unsuitable, ahead)
    task, rows = course.rows.task, course.rows
    plan = ending(standing, rows, workers=course.workers)
    refit_begun = time.monotonic()
    whole = _refit(course, plan, interrupted)
    learnt_again = time.monotonic() - refit_begun
    if plan.refit and not interrupted() and len(whole) < len(plan.refit):
        course.notes.append(
            "There was no time to learn all members again from all rows; models of folds stand for them."
        )
    if standing.depth < rows.folds_a_repeat:
        course.notes.append(
            f"The score is of {len(standing.rows):,} of {len(rows.target):,} rows, {standing.depth} of "
            f"{rows.folds_a_repeat} folds."
        )
    models, weights, steps = _members(course, standing, plan, whole)
    target = np.asarray(rows.target[standing.rows])
    calibration = calibrate(task, target, standing.prediction, seed=course.seed)
    composite = Composite(
        members=tuple(models),
        weights=tuple(weights),
        task=task,
        temperature=calibration.temperature,
        threshold=calibration.threshold,
        shifts=calibration.shifts,
    )
    predictions = composite.finish(standing.prediction)
    join = Step(
        component="ensemble",
        name="ensemble",
        inputs=tuple(step.name for step in steps),
        parameters={
            "weights": [round(float(weight), 6) for weight in standing.weights],
            "temperature": calibration.temperature,
            "threshold": calibration.threshold,
            "shifts": list(calibration.shifts),
            "folds": rows.folds_a_repeat,
            "folds_compared": standing.depth,
            "forward_in_time": rows.forward,
            "ending": plan.reason,
        },
    )
    return StudyResult(
        composite=composite,
        leaderboard=(*leaderboard(course, standing, unsuitable), *_left_out(ahead)),
        predictions=predictions,
        target=target,
        rows=standing.rows,
        score=metric(task.metric, task)(task, target, predictions),
        recipe=Recipe(steps=(*steps, join), seed=course.seed),
        seconds=time.monotonic() - begun,
        refit_seconds=learnt_again,
        interrupted=interrupted(),
        notes=tuple(course.notes),
        plan=ahead.plan,
        findings=ahead.findings,
        kept_out=_kept_out(rows, standing, plan, whole),
    )


def leaderboard(course: Course, standing: Standing, unsuitable: Mapping[str, str]) -> tuple[LeaderboardRow, ...]:
    """Return all candidates, the best first, then the learners that did not take part."""
    found = metric(course.rows.task.metric)
    weights = {id(trial): float(weight) for trial, weight in zip(standing.members, standing.weights, strict=True)}
    lines = [_line(course, trial, weights.get(id(trial), 0.0)) for trial in course.trials]
    sign = -1.0 if found.greater_is_better else 1.0
    lines.sort(key=lambda line: (line.score is None, sign * (line.score or 0.0)))
    for learner, reason in unsuitable.items():
        lines.append(
            LeaderboardRow(
                learner=learner,
                parameters="",
                score=None,
                fit_seconds=0.0,
                weight=0.0,
                state="unsuitable",
                reason=reason,
            )
        )
    return tuple(lines)


def _left_out(ahead: Ahead) -> list[LeaderboardRow]:
    """Return the candidates that were left out before the work began."""
    return [
        LeaderboardRow(
            learner=line.learner,
            parameters=words_of(line.parameters),
            score=None,
            fit_seconds=0.0,
            weight=0.0,
            state="unsuitable",
            reason=line.reason,
        )
        for line in ahead.plan
        if line.reason
    ]


def _line(course: Course, trial: Trial, weight: float) -> LeaderboardRow:
    whole = course.rows.folds_a_repeat
    state, reason = trial.state, trial.reason
    if state == "open":
        state = "finished" if trial.depth else "out of time"
        if trial.candidate.once and trial.depth:
            reason = f"fitted once, judged on 1 of {whole} folds"
        elif 0 < trial.depth < whole:
            reason = f"judged on {trial.depth} of {whole} folds, so its score is less sure"
        elif not trial.depth:
            reason = "its first fold had not finished"
    return LeaderboardRow(
        learner=trial.candidate.learner,
        parameters=trial.candidate.words,
        score=course.score_of(trial) if trial.depth else None,
        fit_seconds=trial.fit_seconds,
        weight=weight,
        state=state,
        folds=trial.depth,
        reason=reason,
        curve=trial.results[0].curve if 0 in trial.results else (),
        curves=trial.results[0].curves if 0 in trial.results else {},
    )


def _refit(course: Course, plan: Ending, interrupted: Callable[[], bool]) -> dict[str, Candidate]:
    """Learn members again from all rows, as many as there is time for.

    Returns
    -------
    dict
        By the key of a member, the candidate that it became: the same with what its folds have found out.
    """
    done: dict[str, Candidate] = {}
    waiting: list[Trial] = []
    for trial in plan.refit:
        whole = refit_candidate(trial, course.rows)
        if _is_whole(course, trial, whole):
            done[trial.candidate.key] = whole
        else:
            waiting.append(trial)
    if waiting and not interrupted():
        course.tell("refit", f"learning {len(waiting)} members again from all rows")
    running: dict[int, tuple[Trial, Candidate]] = {}
    pace = 1.0  # how long fits have taken, as a share of what was expected
    while not interrupted():
        left = course.plan.study_remaining() - course.writing_seconds()
        for trial in [one for one in waiting if pace * refit_seconds(one, course.rows) <= left]:
            if len(running) < course.workers and not disturbs(trial.candidate, [one for _, one in running.values()]):
                waiting.remove(trial)
                whole = refit_candidate(trial, course.rows)
                running[course.executor.submit(course.job(whole, None, np.inf))] = trial, whole
        if not running:
            break
        for event in course.executor.events(LISTEN):
            if event.job in running and event.kind != "progress":
                trial, whole = running.pop(event.job)
                if event.kind == "finished" and _is_whole(course, trial, whole):
                    done[trial.candidate.key] = whole
                    pace = min(pace, event.value["seconds"] / refit_seconds(trial, course.rows))
                break
    for job in running:
        course.executor.cancel(job)
    return done


def _is_whole(course: Course, trial: Trial, candidate: Candidate) -> bool:
    """Return whether a fit on all rows is there, was not cut short, and read no fewer of them than a fold of it did."""
    result = scratch.read_result(course.folder, candidate.key, None)
    if result is None or result.cut:
        return False
    rows = len(course.rows.target)
    most = max(fold.rows_read or len(course.rows.learnt(number)) for number, fold in trial.results.items())
    return (result.rows_read or rows) >= most


def _members(
    course: Course, standing: Standing, plan: Ending, whole: Mapping[str, Candidate]
) -> tuple[list[Model], list[float], list[Step]]:
    """Load the models that stay, with their weights, and how each came about."""
    models: list[Model] = []
    weights: list[float] = []
    steps: list[Step] = []
    for trial, weight in zip(standing.members, standing.weights, strict=True):
        learner = learner_named(trial.candidate.learner)
        candidate = whole.get(trial.candidate.key, trial.candidate)
        refit = trial.candidate.key in whole
        folds: list[int | None] = [None] if refit else list(range(plan.kept[trial.candidate.key]))
        for fold in folds:
            models.append(learner.load(scratch.read_payloads(course.folder, candidate.key, fold)))
            weights.append(float(weight) / len(folds))
        steps.append(
            Step(
                component=candidate.learner,
                name=trial.candidate.key,
                parameters={**candidate.parameters, "learnt_from": "all rows" if refit else f"{len(folds)} folds"},
            )
        )
    return models, weights, steps


def _kept_out(rows: Rows, standing: Standing, plan: Ending, whole: Mapping[str, Candidate]) -> np.ndarray:
    """Return the numbers of the rows that none of the models that stay learnt from."""
    learnt = np.zeros(len(rows.target), dtype=bool)
    for trial in standing.members:
        if trial.candidate.key in whole:
            return np.zeros(0, dtype=np.int64)
        for fold in range(plan.kept[trial.candidate.key]):
            learnt[rows.learnt(fold)] = True
    return np.flatnonzero(~learnt)


def _last_resort(course: Course, unsuitable: Mapping[str, str], ahead: Ahead) -> Standing:
    """Fit the first candidate of the portfolio, the quickest, in this process: there must be a model."""
    reasons = [f"{trial.candidate.learner}: {trial.reason}" for trial in course.trials if trial.reason]
    reasons += [f"{learner}: {reason}" for learner, reason in unsuitable.items()]
    reasons += [f"{line.learner} {words_of(line.parameters)}: {line.reason}" for line in ahead.plan if line.reason]
    untried = [trial for trial in course.trials if trial.state in ("open", "out of time")]
    first = untried[0] if untried else course.schedule.begin_first()
    if first is None:
        raise LubanError(
            "no learner could make a model",
            seen="; ".join(reasons)[:2000] or "none takes part",
            remedy="Look at the reasons, and at which learners were asked for.",
        )
    try:
        fit_fold(
            lambda _value: True,
            folder=str(course.folder),
            key=first.candidate.key,
            learner=first.candidate.learner,
            parameters=first.candidate.parameters,
            fold=0,
            seconds=None,
            deadline=course.plan.study_deadline,
            threads=course.threads,
            cache=course.cache,
            seed=seed_of(course.seed, first.candidate.key, 0),
        )
    except LubanError as error:
        raise OutOfTime(
            "the time was over before any model was ready", seen=str(error), remedy="Give a larger budget."
        ) from error
    standing = course.adopt(first)
    course.notes.append(
        f"The time was over before any fold had finished; {first.candidate.learner} was fitted instead."
    )
    return standing
