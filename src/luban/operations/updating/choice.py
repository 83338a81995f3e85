"""How the challenger is made: learnt anew from which window, or from what the champion already knows.

The choice is made on rows of its own, the newest that may be learnt from: the fresh rows judge once, and what was
chosen by them could not be judged by them. A narrower window has seen less: it is taken where it is better beyond
chance.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.budget import Effort
from luban.core.errors import LubanError
from luban.core.progress import Progress, asked_to_stop, tell
from luban.core.protocols import Examples, Updatable
from luban.core.schema import Schema
from luban.operations.updating.rows import Rows, joined
from luban.operations.updating.window import Window, windows

if TYPE_CHECKING:
    import numpy as np

    from luban.core.protocols import Metric
    from luban.core.task import Task
    from luban.learners.fitted import Fitted
    from luban.operations.updating.material import Material
    from luban.search.candidate import Candidate

FEWEST = 30
"""Rows that a choice rests on, at least."""

SHARE = 0.35
"""Of the time left, what choosing may take."""

SURE = 0.9
"""Share of the resamples in which a narrower way must be better than a wider one, as in the gate of quality."""

_DRAWS = 200
_TESTED = 1 / 3  # of the new rows
_STOPPING = 0.1  # of a window's rows tell a learner when to stop


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One way to make a challenger, and its score on the rows that the choice rests on.

    Parameters
    ----------
    window : Window, optional
        None goes on from what the champion knows.
    """

    words: str
    window: Window | None
    score: float | None
    seconds: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The way that is taken, and what was tried.

    Parameters
    ----------
    tested : int
        Rows that the choice rests on; 0 where nothing was compared.
    champion : float, optional
        Score of the champion on the same rows.
    """

    window: Window | None
    tried: tuple[Tried, ...] = ()
    tested: int = 0
    champion: float | None = None

    @property
    def words(self) -> str:
        """The way in words."""
        return f"learnt anew from {self.window.words}" if self.window is not None else "went on learning"


def choose(
    champion: Fitted,
    material: Material,
    candidates: tuple[Candidate, ...],
    *,
    way: str,
    window: str,
    seconds: float,
    threads: int,
    seed: int,
    cache: str,
) -> Choice:
    """Return how to make the challenger.

    Parameters
    ----------
    way : str
        ``retrain``, ``continue``, or ``auto`` for the better one.
    seconds : float
        That are left for the whole update; at most a third of them is spent here.
    """
    import numpy as np

    from luban.evaluation.metrics import metric

    rows = joined([material.known, material.new])
    shown = windows(window, len(rows))
    able = isinstance(champion.model, Updatable) and champion.model.continues
    if way == "continue" and not able:
        names = ", ".join(sorted({member.learner for member in champion.model.members}))
        raise LubanError(
            "the champion cannot go on learning",
            seen=f"most of it is made by {names}",
            remedy="Learn anew: --way retrain.",
        )
    ways: list[Window | None] = [] if way == "continue" else list(shown)
    if able and way != "retrain":
        ways.append(None)
    tested = int(_TESTED * len(material.new))
    if len(ways) == 1 or tested < FEWEST or not candidates or any(one.alone for one in candidates[:1]):
        return Choice(window=ways[0])
    test, task = material.new.part(-tested), champion.task
    if not _tells(test.target, classifies=task.classifies):
        return Choice(window=ways[0])
    judged = metric(task.metric)
    until = time.monotonic() + SHARE * seconds
    tried: list[Tried] = []
    best: tuple[Window | None, np.ndarray] | None = None
    for place, one in enumerate(ways):
        if asked_to_stop() or (tried and time.monotonic() + tried[0].seconds > until):
            break
        words = "go on learning" if one is None else f"learn anew from {one.words}"
        tell(Progress(stage="choose", message=f"trying to {words}"))
        began = time.monotonic()
        effort = Effort(
            deadline=began + max(1.0, (until - began) / (len(ways) - place)), threads=threads, seed=seed, cache=cache
        )
        try:
            made = _made(champion, material, rows, one, tested, candidates[0], effort)
            prediction = np.asarray(made.predict(test.table), dtype=np.float64)
            score, reason = float(judged(task, test.target, prediction)), ""
            if best is None or _surely(judged, task, test.target, best[1], prediction, seed):
                best = one, prediction
        except LubanError as error:
            score, reason = None, str(error)
        seconds_taken = time.monotonic() - began
        tried.append(Tried(words=words, window=one, score=score, seconds=seconds_taken, reason=reason))
    return Choice(
        window=ways[0] if best is None else best[0],
        tried=tuple(tried),
        tested=tested,
        champion=float(judged(task, test.target, champion.model.predict(test.table))),
    )


def examples(rows: Rows) -> Examples:
    """Return rows as learners take them."""
    return Examples(table=rows.table, target=rows.target)


def _made(
    champion: Fitted,
    material: Material,
    rows: Rows,
    window: Window | None,
    tested: int,
    candidate: Candidate,
    effort: Effort,
) -> Any:
    """Return a quick model of one way, which has not seen the rows that the choice rests on."""
    if window is None:
        assert isinstance(champion.model, Updatable)
        mine = material.new.part(0, -tested)
        replay = examples(material.replay(len(mine), effort.seed))
        return champion.model.update(examples(mine), replay=replay, effort=effort)
    from luban.search.learners import learner_named

    mine = Window(words=window.words, rows=max(1, window.rows - tested)).of(rows.part(0, -tested))
    held = max(1, int(_STOPPING * len(mine)))
    return learner_named(candidate.learner).fit(
        champion.task,
        Schema(columns=champion.signature.inputs),
        examples(mine.part(0, -held)),
        examples(mine.part(-held)),
        parameters=candidate.parameters,
        effort=effort,
    )


def _surely(metric: Metric, task: Task, target: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int) -> bool:
    """Return whether a prediction is better than another beyond chance, by a paired bootstrap."""
    from luban.evaluation.bootstrap import bootstrap

    drawn = bootstrap([metric], task, target, [before, after], count=_DRAWS, seed=seed).draws[0]
    gains = (drawn[1] - drawn[0]) * (1 if metric.greater_is_better else -1)
    return bool((gains > 0).mean() >= SURE)


def _tells(target: np.ndarray, *, classifies: bool) -> bool:
    """Return whether the rows can tell models apart."""
    return not classifies or len(set(target.tolist())) > 1
