"""Fit: from rows to a registered model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import monotonic as monotonic_clock
from typing import TYPE_CHECKING, Any, Literal

from luban.core.budget import Duration
from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.report import Report

if TYPE_CHECKING:
    from luban.store import Workspace

DEFAULT_BUDGET = Duration(60)


@dataclass(frozen=True, kw_only=True)
class LeaderboardLine:
    """One candidate of a search.

    Attributes
    ----------
    score : float, optional
        Cross-validated value of the metric, in its natural sense.
    weight : float
        Its share of the final model.
    folds : int
        How many parts of the rows its score is of; the fewer, the less sure it is.
    state : str
        ``finished``, ``pruned``, ``failed``, ``out of time`` or ``unsuitable``.
    reason : str
        Why it did not finish.
    """

    learner: str
    score: float | None
    fit_seconds: float
    weight: float
    folds: int = 0
    state: str = "finished"
    parameters: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A registered model and how it came about.

    Attributes
    ----------
    score : float
        Value of the metric on rows that the model did not learn from (cross-validation), in its natural sense.
    seconds : float
        Time from the call to the registered model.
    interrupted : bool
        Whether the search was stopped by the user before its budget was spent.
    bare : bool
        Whether the budget sufficed for the baseline alone.
    report : Report
        The evaluation on rows that the model did not learn from.
    course : Report
        The account of the fit: leaderboard, budget, data, run.
    """

    model: str
    run: str
    dataset: str
    task: str
    metric: str
    score: float
    seconds: float
    leaderboard: tuple[LeaderboardLine, ...]
    interrupted: bool = False
    bare: bool = False
    notes: tuple[str, ...] = ()
    course: Report | None = None
    report: Report | None = None


@dataclass(frozen=True, kw_only=True)
class PlanLine:
    """One candidate of a fit that was planned and not run.

    Attributes
    ----------
    way, backbone : str
        How a pre-trained network would be adapted, and which one; empty where there is none.
    seconds : float, optional
        About so many for one pass over the rows, measured on a few steps; None where nothing was measured.
    memory : int, optional
        Bytes at the worst moment.
    runs : bool
        Whether it would be tried.
    reason : str
        Why not.
    note : str
        What was measured, or that there was no time to.
    """

    learner: str
    way: str = ""
    backbone: str = ""
    parameters: str = ""
    seconds: float | None = None
    memory: int | None = None
    runs: bool = True
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """What a fit would do; nothing was written.

    Attributes
    ----------
    rows : int
        To learn from.
    budget : float, optional
        Seconds; None for a budget in rounds.
    report : Report
        What was looked for before training, and found.
    """

    task: str
    metric: str
    rows: int
    budget: float | None
    lines: tuple[PlanLine, ...]
    notes: tuple[str, ...] = ()
    report: Report | None = None


@operation(permission="models:write", long=True)
def fit(
    workspace: Workspace,
    data: Any = None,
    *,
    target: str | None = None,
    metric: str | None = None,
    budget: Duration | None = None,
    name: str | None = None,
    seed: int = 0,
    rounds: int | None = None,
    task: Literal["binary", "multiclass", "matching", "multilabel", "tokens", "regression", "quantile"] | None = None,
    quantiles: tuple[float, ...] = (),
    group: str | None = None,
    time: str | None = None,
    monotonic: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    learners: tuple[str, ...] = (),
    searcher: str = "tpe",
    backbone: str | None = None,
    adapt: tuple[str, ...] = (),
    threshold: float | str | None = None,
    resume: str | None = None,
    dry_run: bool = False,
) -> Fit | FitPlan:
    """Fit a model: understand the task, try learners, tune, ensemble, calibrate, register.

    Parameters
    ----------
    data
        The rows: a file, a data set of the workspace, or an object in memory.
    target
        The column to predict; a folder of class folders tells it.
    metric
        What to optimise, by scikit-learn's name; by default the task decides.
    budget
        A hard deadline for everything the command does, such as 60s or 5m; by default 60s.
    name
        Name of the model; by default that of the data.
    seed
        Seed of all randomness.
    rounds
        A budget in work units instead of time: so many candidates are tried, whatever the clock says, and the same seed
        gives the same model on the same machine.
    task
        What kind of task it is; by default the target decides.
    quantiles
        Levels to predict, for a quantile task, such as 0.1,0.5,0.9.
    group
        Column whose groups are never split between training and validation; by default the one that the data set was
        imported with.
    time
        Column of dates or numbers that orders the rows: then the latest rows judge what was learnt from earlier ones,
        and the column is no input. By default the one that the data set was imported with.
    monotonic
        Columns of numbers with which predictions must only rise (+1) or only fall (-1), such as age=+1,price=-1.
    ignore
        Columns that must not be used.
    learners
        Only these learners; `luban plugins learners` lists them.
    searcher
        How parameters are searched after the portfolio: tpe, random or grid.
    backbone
        The pre-trained network that reads texts, pictures or sounds: a name of `luban zoo list`, a folder, an
        installed package with weights, or an identifier of the Hugging Face hub; by default one that suits the rows.
    adapt
        How that network is fine-tuned, such as way=lora,rank=8,accumulate=4; `luban zoo show` tells its ways.
    threshold
        Least probability from which a row counts as positive or bears a label: a number, or the metric that chooses it
        on rows that were not learnt from, such as f1. By default the metric of the fit chooses, where it judges
        decisions; `luban models threshold` changes it later.
    resume
        Identifier of an interrupted or killed fit to go on with, instead of data and target.
    dry_run
        Only say what would be tried, with the time and memory that it would take, and what would spoil it.
    """
    began = monotonic_clock()
    if budget is not None and rounds is not None:
        raise InputError("a fit has one budget", seen="both a time and rounds", remedy="Leave one of them out.")
    if rounds is not None and rounds < 1:
        raise InputError("rounds must be at least 1", seen=str(rounds))
    from luban.operations.fitting.flow import Request, begin, go_on
    from luban.operations.reading import source_of, target_told

    if resume is not None:
        others = (
            data,
            target,
            metric,
            name,
            rounds,
            task,
            group,
            time,
            backbone,
            threshold,
            *monotonic,
            *quantiles,
            *ignore,
            *learners,
            *adapt,
        )
        if any(one is not None for one in others):
            raise InputError(
                "a resumed fit has its data, target and options", remedy="Give --resume alone, or with --budget."
            )
        return go_on(workspace, resume, budget=budget, began=began)
    if data is not None and target is None:
        target = target_told(workspace, data)
    if data is None or target is None:
        missing = "data" if data is None else "target"
        raise InputError(f"fit needs {missing}", remedy="Example: luban fit adult.csv --target class")
    _check_named(data, target)
    if threshold is not None:
        from luban.operations.deciding import asked_for

        threshold = asked_for(threshold)
    request = Request(
        target=target,
        metric=metric,
        budget=float(budget or DEFAULT_BUDGET),
        name=name,
        seed=seed,
        rounds=rounds,
        task=task,
        quantiles=quantiles,
        group=group,
        time=time,
        monotonic=monotonic,
        ignore=ignore,
        learners=learners,
        searcher=searcher,
        backbone=backbone,
        adapt=adapt,
        threshold=threshold,
        source=source_of(data),
    )
    if dry_run:
        from luban.operations.fitting.dry import plan_alone

        return plan_alone(workspace, data, request, began=began)
    return begin(workspace, data, request, began=began)


def _check_named(data: Any, target: str) -> None:
    """Raise `InputError` where the data are an array, whose columns have no names that a target could be one of."""
    if hasattr(data, "columns") or getattr(getattr(data, "dtype", None), "names", None) is not None:
        return
    if getattr(data, "ndim", None) is not None and not re.fullmatch(r"x\d+", target):
        raise InputError(
            f"an array has no column names, so none is named {target!r}",
            seen=f"{type(data).__name__} of shape {getattr(data, 'shape', '')}",
            remedy="Give a data frame, or a dict of a name and the values for each column, the target's too.",
        )
