"""The slices where a model is worst: parts of single columns, and of pairs of columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.evaluation.bins import Parts, cut
from luban.evaluation.bootstrap import bootstrap
from luban.evaluation.metrics.multilabel import surprise_of_labels
from luban.evaluation.metrics.probability import surprise
from luban.evaluation.metrics.quantile import pinball_by_row
from luban.evaluation.metrics.tokens import surprise_of_words
from luban.evaluation.words import number

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.protocols import Metric
    from luban.core.schema import Schema
    from luban.core.task import Task

_ROWS = 50_000  # looked at; more rows find smaller slices but cost time a column
_COLUMNS = 500
_PAIRED = 8  # columns whose pairs are tried
_FALSE_SHARE = 0.05  # of the slices reported, at most this share is expected to be there by chance
_NOTABLE = 1.1  # times the mean loss of all rows
_SERIOUS = 2.0
_ROUNDING = 1e-9
_SHOWN = 10
_SAME = 0.5  # shared rows over all rows of two slices, from which on they tell one story


@dataclass(frozen=True, kw_only=True)
class _Slice:
    words: str
    codes: np.ndarray
    code: int
    loss: float
    low: float
    chance: float
    parents: tuple[float, ...]


def loss_by_row(task: Task, target: np.ndarray, prediction: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the name and the values, shape (n,), of the loss that slices are compared by."""
    if task.kind == "multilabel":
        return "log loss", surprise_of_labels(target, prediction)
    if task.kind == "tokens":
        return "log loss", surprise_of_words(target, prediction)
    if task.classes:
        return "log loss", surprise(target, prediction)
    if task.quantiles:
        return "pinball loss", pinball_by_row(task.quantiles, target, prediction)
    return "absolute error", np.abs(target - prediction)


def slices(
    task: Task,
    metric: Metric,
    target: np.ndarray,
    prediction: np.ndarray,
    table: pa.Table,
    schema: Schema,
    *,
    threshold: float | None = None,
    seed: int = 0,
) -> tuple[Finding, list[dict[str, Any]]]:
    """Look for parts of the rows where the mean loss is higher than elsewhere.

    Every column is cut into parts (quarters of numbers and dates, common values of categories); parts of the columns
    that tell most about the loss are crossed. Each slice of enough rows is held against the other rows by Welch's
    test. Of what stands after the guard against many tests (Benjamini and Hochberg 1995, at 5 %), those are shown
    whose loss is high for certain (by the lower end of its interval), the highest loss first. A pair is shown only
    where it is worse than both of its columns alone.

    Returns
    -------
    tuple
        The finding, and the slices as JSON values.
    """
    named, loss = loss_by_row(task, target, prediction)
    chosen = np.arange(len(loss))
    if len(loss) > _ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(loss), _ROWS, replace=False))
    seen, few = loss[chosen], max(30, len(chosen) // 100)
    columns = [column for column in schema.inputs if column.name in table.column_names][:_COLUMNS]
    cuts = [cut(column, table[column.name].take(chosen)) for column in columns]
    parts = [one for one in cuts if one is not None]
    tried = [one for part in parts for one in _held_against_rest(part, seen, few)]
    telling = sorted(parts, key=lambda part: -_told(part, seen))[:_PAIRED]
    tried += [one for pair in combinations(telling, 2) for one in _crossed(*pair, seen, few)]
    found = [one for one in _guarded(tried) if one.loss >= _NOTABLE * seen.mean()]
    found = [one for one in found if all(one.loss > _NOTABLE * parent for parent in one.parents)]
    found = _apart(sorted(found, key=lambda one: -one.low))[:_SHOWN]
    found.sort(key=lambda one: -one.loss)
    rows = [
        _row(one, metric, task, target[chosen], prediction[chosen], float(seen.mean()), threshold, seed)
        for one in found
    ]
    return _finding(rows, metric, named, len(tried), _limits(len(loss), len(schema.inputs))), rows


def _apart(found: list[_Slice]) -> list[_Slice]:
    """Return the slices without those that hold mostly the rows of one before them."""
    kept: list[tuple[_Slice, np.ndarray]] = []
    for one in found[: 20 * _SHOWN]:
        member = one.codes == one.code
        if all((member & other).sum() <= _SAME * (member | other).sum() for _, other in kept):
            kept.append((one, member))
    return [one for one, _ in kept]


def _limits(rows: int, columns: int) -> str:
    words = [f"{_ROWS:,} of {rows:,} rows"] if rows > _ROWS else []
    words += [f"{_COLUMNS} of {columns:,} columns"] if columns > _COLUMNS else []
    return f" (in {' and '.join(words)})" if words else ""


def _finding(rows: list[dict[str, Any]], metric: Metric, named: str, tried: int, limits: str) -> Finding:
    if not rows:
        return Finding(
            what=f"No slice is clearly worse than the other rows, of {tried:,} looked at{limits}", verdict="pass"
        )
    worst = rows[0]
    serious = worst["times"] >= _SERIOUS
    held = f"{'which counts as' if serious else 'not yet'} serious: that begins at {number(_SERIOUS)} times"
    return Finding(
        what=(
            f"The model is worst where {worst['slice']}: its mean {named} there is {number(worst['times'])} times "
            f"that of all rows ({held}){limits}"
        ),
        verdict="warn" if serious else "info",
        value=worst["times"],
        threshold=_SERIOUS,
        remedy="Collect more rows like these, or inputs that tell them apart; trust predictions there less.",
        evidence=(
            Evidence(
                title=f"Slices by mean {named}, the worst first",
                columns=("slice", "times all rows"),
                rows=tuple((row["slice"], row["times"]) for row in rows),
                drawing="bar",
                y=f"mean {named}, times that of all rows",
            ),
            Evidence(
                title=f"Worst slices of {tried:,} tried, by {named}",
                columns=("slice", "rows", metric.name, "low", "high", named, "chance"),
                rows=tuple(
                    (
                        row["slice"],
                        row["rows"],
                        row["score"],
                        row["low"],
                        row["high"],
                        row["loss"],
                        _chance(row["chance"]),
                    )
                    for row in rows
                ),
            ),
        ),
    )


def _chance(chance: float) -> str:
    return f"{chance:.4f}" if chance >= 1e-4 else "< 0.0001"


def _row(
    one: _Slice,
    metric: Metric,
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    whole: float,
    threshold: float | None,
    seed: int,
) -> dict[str, Any]:
    member = one.codes == one.code
    drawn = bootstrap(
        [metric], task, target[member], [prediction[member]], threshold=threshold, count=100, seed=seed
    ).interval(0)
    score, low, high = (value if math.isfinite(value) else None for value in (drawn.value, drawn.low, drawn.high))
    return {
        "slice": one.words,
        "rows": int(member.sum()),
        "score": score,
        "low": low,
        "high": high,
        "loss": one.loss,
        "times": one.loss / whole,
        "chance": one.chance,
    }


def _told(part: Parts, loss: np.ndarray) -> float:
    """Return how much of the variance of the loss the parts of a column tell (between-part sum of squares)."""
    count = np.bincount(part.codes)
    mean = np.bincount(part.codes, weights=loss) / np.maximum(count, 1)
    return float((count * (mean - loss.mean()) ** 2).sum())


def _held_against_rest(
    part: Parts, loss: np.ndarray, few: int, pair: tuple[Parts, Parts] | None = None
) -> list[_Slice]:
    """Return the slices of enough rows, each with the chance that the other rows are as bad (Welch 1947)."""
    size = len(part.labels)
    count = np.bincount(part.codes, minlength=size).astype(np.float64)
    total = np.bincount(part.codes, weights=loss, minlength=size)
    squares = np.bincount(part.codes, weights=loss**2, minlength=size)
    found = []
    for code in np.flatnonzero((count >= few) & (len(loss) - count >= few)):
        rows, others = count[code], len(loss) - count[code]
        mean, rest = total[code] / rows, (loss.sum() - total[code]) / others
        spread = max(0.0, squares[code] / rows - mean**2) / rows
        error = math.sqrt(spread + max(0.0, ((loss**2).sum() - squares[code]) / others - rest**2) / others)
        gap = mean - rest
        score = gap / error if error > 0 else math.copysign(math.inf, gap) if abs(gap) > _ROUNDING * rest else 0.0
        parents = () if pair is None else _parents(int(code), *pair, loss)
        found.append(
            _Slice(
                words=part.labels[code],
                codes=part.codes,
                code=int(code),
                loss=float(mean),
                low=float(mean - 1.96 * math.sqrt(spread)),
                chance=0.5 * math.erfc(score / math.sqrt(2)),
                parents=parents,
            )
        )
    return found


def _crossed(first: Parts, second: Parts, loss: np.ndarray, few: int) -> list[_Slice]:
    width = len(second.labels)
    both = Parts(
        codes=first.codes * width + second.codes,
        labels=tuple(f"{one} and {other}" for one in first.labels for other in second.labels),
    )
    return _held_against_rest(both, loss, few, (first, second))


def _parents(code: int, first: Parts, second: Parts, loss: np.ndarray) -> tuple[float, ...]:
    own = divmod(code, len(second.labels))
    return tuple(float(loss[part.codes == one].mean()) for part, one in zip((first, second), own, strict=True))


def _guarded(tried: list[_Slice]) -> list[_Slice]:
    """Return the slices that stand at a false discovery rate of 5 %, with adjusted chances."""
    order = np.argsort([one.chance for one in tried])
    adjusted = [min(1.0, tried[place].chance * len(tried) / (rank + 1)) for rank, place in enumerate(order)]
    smallest = np.minimum.accumulate(np.array(adjusted)[::-1])[::-1]
    return [
        _Slice(**{**vars(tried[place]), "chance": float(chance)})
        for place, chance in zip(order, smallest, strict=True)
        if chance < _FALSE_SHARE
    ]
