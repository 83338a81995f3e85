"""What is explained: a model as a function of its canonical inputs, on rows of a sample."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.model import Signature
    from luban.core.protocols import Model
    from luban.core.task import Task

_SMALLEST = 1e-6
# Averages of fewer rows than these are said to be no more than a hint.
_FEW = 100
_PROBE = 0.03
_HALF = 0.5


class Fitted(Protocol):
    """What an explanation asks of a model: its task, what it accepts, and the model itself."""

    @property
    def task(self) -> Task:
        """What it predicts."""

    @property
    def signature(self) -> Signature:
        """The columns that go in."""

    @property
    def model(self) -> Model:
        """From canonical inputs to predictions."""


@runtime_checkable
class Deciding(Protocol):
    """Ability of a model: it turns predicted probabilities into classes by a threshold of its own."""

    def decide(self, predictions: np.ndarray) -> np.ndarray:
        """Return class codes, shape (n,)."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A share of a time budget, as a value of `time.monotonic` at which it ends."""

    deadline: float

    @property
    def left(self) -> float:
        """Seconds left, negative once it is over."""
        return self.deadline - time.monotonic()

    def share(self, part: float) -> Clock:
        """Return a clock that ends after `part` of the time left."""
        now = time.monotonic()
        return Clock(deadline=now + max(0.0, self.deadline - now) * part)


def decided(model: Model, task: Task, predictions: np.ndarray) -> np.ndarray:
    """Return what the model decides for: class codes, shape (n,); zeros where there are no classes.

    For multilabel booleans of shape (n, K), for tokens codes of shape (n, L).
    """
    if not task.classes:
        return np.zeros(len(predictions), dtype=np.int64)
    if isinstance(model, Deciding):
        return np.asarray(model.decide(predictions))
    if task.kind == "multilabel":
        return np.asarray(predictions >= _HALF)
    return np.asarray(predictions.argmax(axis=-1))


def resting(rows: int, total: int) -> str:
    """Return in words on how many rows a figure rests, and that few of many are only a hint."""
    if rows >= total:
        return f"all {total:,} rows"
    return f"{rows:,} of {total:,} rows" + (", so a hint only" if rows < _FEW else "")


def shown_output(task: Task, prediction: np.ndarray) -> tuple[str, np.ndarray]:
    """Return what a person is shown of predictions, in words and as columns (n, outputs).

    The probability of the positive class, those of all classes, the prediction, or the quantiles.
    """
    if task.kind == "binary":
        return f"probability of {task.classes[-1]}", prediction[:, 1:]
    if task.classes:
        return "probability", prediction
    if task.quantiles:
        return task.target, prediction
    return task.target, prediction[:, None]


def output_names(task: Task) -> tuple[str, ...]:
    """Return the name of each explained output."""
    if task.kind == "binary":
        return (str(task.classes[-1]),)
    if task.classes:
        return tuple(str(label) for label in task.classes)
    if task.quantiles:
        return tuple(f"quantile {level:g}" for level in task.quantiles)
    return (task.target,)


def unit(task: Task) -> str:
    """Return the unit of contributions: they add up in it."""
    kinds = f"log-odds of {task.classes[-1]}" if task.kind == "binary" else "log-probability"
    return kinds if task.classes else f"units of {task.target}"


def short_unit(task: Task) -> str:
    """Return the unit as it follows a figure in a sentence."""
    return "log-odds" if task.kind == "binary" else unit(task)


def margins(task: Task, prediction: np.ndarray) -> np.ndarray:
    """Return predictions on the scale on which contributions add up, shape (n, outputs).

    Log-odds of the positive class; log-probabilities of several classes, centred in each row; else predictions.
    """
    if task.kind == "binary":
        positive = np.clip(prediction[:, 1:], _SMALLEST, 1 - _SMALLEST)
        odds: np.ndarray = np.log(positive / (1 - positive))
        return odds
    if task.classes:
        logs = np.log(np.clip(prediction, _SMALLEST, 1))
        centred: np.ndarray = logs - logs.mean(axis=1, keepdims=True)
        return centred
    return prediction if prediction.ndim == 2 else prediction[:, None]


def from_margins(task: Task, summed: np.ndarray) -> np.ndarray:
    """Return the predictions that margins (n, outputs) mean, as `shown_output` shows them."""
    if task.kind == "binary":
        probability: np.ndarray = 1 / (1 + np.exp(-np.clip(summed, -500, 500)))
        return probability
    if task.classes:
        raised = np.exp(summed - summed.max(axis=1, keepdims=True))
        shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
        return shares
    return summed


def mixed(table: pa.Table, sources: np.ndarray) -> pa.Table:
    """Return rows whose columns come from different rows of `table`.

    Parameters
    ----------
    sources : numpy.ndarray
        Row of `table` for each row and column, shape (n, columns).
    """
    import pyarrow as pa

    columns = [column.take(pa.array(sources[:, i])) for i, column in enumerate(table.columns)]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def seconds_a_row(model: Model, table: pa.Table) -> float:
    """Return how long a row takes to predict in a batch, at most; measured on as many rows as take no time to tell."""
    model.predict(table.slice(0, 1))
    seconds, rows = 0.0, 1
    for rows in (min(table.num_rows, size) for size in (16, 64, 256)):
        start = time.monotonic()
        model.predict(table.slice(0, rows))
        seconds = time.monotonic() - start
        if seconds > _PROBE:
            break
    return max(1e-7, seconds / rows)
