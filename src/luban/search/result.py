"""What a study tells while it runs, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.recipe import Recipe
    from luban.core.report import Finding
    from luban.learners.composite import Composite
    from luban.search.ahead import Planned


@dataclass(frozen=True, kw_only=True)
class StudyEvent:
    """News of a study.

    Parameters
    ----------
    kind : str
        ``model`` when the first model stands, ``better`` when the ensemble has improved, ``trial`` when a candidate has
        finished, was pruned or failed, ``refit`` when the members learn from all rows, ``plan`` for what was forecast
        and found before the work, ``note`` for what else matters.
    done : float
        Share of the study that is over, 0 to 1.
    score : float, optional
        Of the ensemble so far, in its natural sense.
    """

    kind: str
    message: str
    done: float
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One candidate, or one learner that did not take part.

    Parameters
    ----------
    score : float, optional
        Of the task's metric on rows that it had not seen, in its natural sense.
    state : str
        ``finished``, ``pruned``, ``failed``, ``out of time`` or ``unsuitable``.
    folds : int
        How many folds the score is of.
    reason : str
        Why it did not finish or take part, in words.
    curve : tuple of (int, float)
        Validation loss by step on the first fold, as its learner told it.
    curves : mapping of str to tuple of (int, float)
        Other figures by step on the first fold, such as the training loss, where its model tells them.
    """

    learner: str
    parameters: str
    score: float | None
    fit_seconds: float
    weight: float
    state: str
    folds: int = 0
    reason: str = ""
    curve: tuple[tuple[int, float], ...] = ()
    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """What a study found.

    Parameters
    ----------
    composite : Composite
        The ensemble, calibrated where that helps: a model.
    leaderboard : tuple of LeaderboardRow
        The best first.
    predictions : numpy.ndarray
        Of the ensemble (calibrated as the model is) for the rows in `rows`, each made by members that had not seen it.
    target : numpy.ndarray
        Of the rows in `rows`.
    rows : numpy.ndarray
        Their numbers, ascending.
    score : float
        Of `predictions`, in the metric's natural sense.
    seconds, refit_seconds : float
        Of the whole study, and of these what members took to learn again from all rows.
    interrupted : bool
        Whether the study was asked to stop before its time.
    notes : tuple of str
        What a user should know, in words.
    plan : tuple of Planned
        What was forecast before the work.
    findings : tuple of Finding
        What was found before it.
    kept_out : numpy.ndarray
        Numbers of the rows that no model of the ensemble learnt from, ascending.
    """

    composite: Composite
    leaderboard: tuple[LeaderboardRow, ...]
    predictions: np.ndarray
    target: np.ndarray
    rows: np.ndarray
    score: float
    recipe: Recipe
    seconds: float
    refit_seconds: float = 0.0
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    plan: tuple[Planned, ...] = ()
    findings: tuple[Finding, ...] = ()
    kept_out: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
