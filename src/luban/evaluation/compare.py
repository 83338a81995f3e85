"""Two models on the same rows: which is better, and whether the rows prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.report import Evidence, Finding, Report
from luban.evaluation.bootstrap import bootstrap
from luban.evaluation.metrics import fitting, metric
from luban.evaluation.words import number

if TYPE_CHECKING:
    import numpy as np

    from luban.core.task import Task


def compare(
    task: Task,
    target: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    names: tuple[str, str] = ("first", "second"),
    thresholds: tuple[float | None, float | None] = (None, None),
    draws: int = 1000,
    seed: int = 0,
) -> Report:
    """Compare predictions of two models on the same rows by a paired bootstrap.

    Parameters
    ----------
    first, second : numpy.ndarray
        Predictions of the one in place and of its challenger.
    names : tuple of str
        What to call them.
    thresholds : tuple of float
        From which probability on each decides, as its model has it.

    Returns
    -------
    Report
        ``figures``: for each metric the difference (second minus first), its interval, and the share of
        resamples in which the second was better. The verdict is ``pass`` where the second is proven better
        by the task's metric, ``warn`` where it is proven worse, ``info`` where the rows do not tell.
    """
    metric(task.metric, task)
    judged = fitting(task)
    drawn = bootstrap(judged, task, target, [first, second], threshold=thresholds, count=draws, seed=seed)
    figures, rows = {}, []
    for place, one in enumerate(judged):
        gap = drawn.difference(place, 0, 1)
        gains = (drawn.draws[place, 1] - drawn.draws[place, 0]) * (1 if one.greater_is_better else -1)
        better = float((gains > 0).mean() + 0.5 * (gains == 0).mean())
        before, after = (float(value) for value in drawn.values[place])
        rows.append((one.name, before, after, gap.value, gap.low, gap.high, better))
        figures[one.name] = {
            "first": before,
            "second": after,
            "difference": gap.value,
            "interval": [gap.low, gap.high],
            "better": better,
        }
    name, before, after, _, low, high, _ = rows[0]
    proven = not low <= 0 <= high
    wins = proven and (after > before) == judged[0].greater_is_better
    ending = "the difference may be chance"
    if proven:
        ending = f"{names[1] if wins else names[0]} is better beyond chance"
    finding = Finding(
        what=f"{name}: {names[0]} {number(before)}, {names[1]} {number(after)}; {ending}",
        verdict=("pass" if wins else "warn") if proven else "info",
        value=after - before,
        threshold=0.0,
        evidence=(
            Evidence(
                title="Paired comparison",
                columns=("metric", *names, "difference", "low", "high", f"share in which {names[1]} is better"),
                rows=tuple(rows),
            ),
        ),
    )
    subject = f"{names[1]} against {names[0]}"
    return Report(check="comparison", subject=subject, verdict=finding.verdict, findings=(finding,), figures=figures)
