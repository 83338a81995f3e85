"""The figures that windows of a model can have, by name: what a rule may speak of before there is a window."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.kinds import MEANINGS
from luban.evaluation.metrics import fitting
from luban.monitoring.outputs import watched
from luban.monitoring.window import LATENCIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from luban.core.schema import Column
    from luban.core.task import Task

_ALWAYS = (
    "verdict",
    "rows",
    "baseline_rows",
    "labelled",
    "drift.columns",
    "drift.share",
    "drift.worst",
    "prediction_drift",
    *(f"latency.p{part}" for part in LATENCIES),
    *(f"requests.{one}" for one in ("count", "failed", "failed_share")),
    *(f"log.{one}" for one in ("stored", "dropped", "dropped_share", "without_consent")),
    *(f"quality.{one}" for one in ("rows", "expected", "worse", "loss", "worst_slice")),
    "stream.errors",
)
_COLUMN = ("missing", "effect", "chance", "drifted", "vanished")
_NUMBERS = ("ks", "psi", "wasserstein", "above", "mean", "out_of_range")
_LEVELS = ("psi", "chi_square", "distance", "unseen")
_VECTORS = ("mmd",)
_SHOWN = 12


def possible(task: Task, columns: Sequence[Column], detectors: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all figures that a window of a model can have.

    Parameters
    ----------
    columns : sequence of Column
        The model's inputs.
    detectors : iterable of str
        Names of the streaming detectors.
    """
    metrics = [one.name for one in fitting(task)]
    return (
        *_ALWAYS,
        *(f"quality.metrics.{name}" for name in metrics),
        *(f"estimated.{name}.{one}" for name in metrics for one in ("value", "low", "high", "expected")),
        *(f"stream.alarms.{name}" for name in detectors),
        *_of("columns", columns),
        *_of("outputs", watched(task)),
    )


def check(name: str, names: Sequence[str]) -> None:
    """Raise `InputError` where none of these figures has this name or fits this pattern, with the nearest there are."""
    if name in names or ("*" in name and any(fnmatchcase(one, name) for one in names)):
        return
    parent = name.rpartition(".")[0]
    beside = [one for one in names if parent and fnmatchcase(one.rpartition(".")[0], parent)]
    near = beside or get_close_matches(name, names, n=3, cutoff=0.6)
    told = near or [one for one in names if not one.startswith(("columns.", "outputs.", "estimated."))]
    more = f", and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    raise InputError(
        "no window of this model has such a figure",
        seen=repr(name)[:100],
        remedy=f"There is {', '.join(told[:_SHOWN])}{more}; luban monitor NAME --json shows all of a window.",
    )


def _of(root: str, columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        kinds: tuple[str, ...] = _NUMBERS if MEANINGS[column.kind].cell else _VECTORS
        kinds = _LEVELS if column.kind in ("category", "boolean") else kinds
        yield from (f"{root}.{column.name}.{one}" for one in (*_COLUMN, *kinds))
