"""One fold of one candidate: the unit of work of a study, done in a worker process."""

from __future__ import annotations

import math
import shutil
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.budget import Effort
from luban.core.curves import LONGEST, thinned
from luban.core.errors import LubanError
from luban.core.protocols import Examples, Preparing, Recounting
from luban.evaluation.metrics import loss as loss_of
from luban.search import scratch
from luban.search.learners import learner_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.protocols import Model

# Losses of single rounds are sent on no more often than this, in seconds.
_REPORT_EVERY = 0.1
# Share of its time that a fit leaves for predicting and saving, a second at most; a network leaves more.
AFTERWARDS, AFTER_NETWORKS = 0.07, 0.1
# What networks keep their weights in.
_TENSORS = ".safetensors"


def fit_fold(
    report: Callable[[Any], bool],
    *,
    folder: str,
    key: str,
    learner: str,
    parameters: Mapping[str, Any],
    fold: int | None,
    seconds: float | None,
    deadline: float | None,
    threads: int,
    seed: int,
    cache: str | None = None,
    most_rows: int | None = None,
    afterwards: float = AFTERWARDS,
) -> dict[str, Any]:
    """Fit one fold, or all rows where `fold` is None, keep the result in the folder, and return it in short.

    Parameters
    ----------
    learner : str
        Name of the learner, or ``"package.module:Class"``.
    seconds : float, optional
        How long the fit may take, from when it begins.
    deadline : float, optional
        Value of `time.monotonic` at which it must be over, whenever it begins.
    cache : str, optional
        `Effort.cache`.
    most_rows : int, optional
        A fold learns from a random sample of so many rows where it has more.
    afterwards : float
        Share of the time that is left for predicting and saving.
    """
    begun = time.monotonic()
    report({"started": begun})
    rows = rows_of(folder)
    limit = min(
        math.inf if seconds is None else begun + seconds,
        math.inf if deadline is None else deadline,
    )
    # What follows the fit takes time as well: predicting, saving.
    kept = afterwards * max(0.0, limit - begun)
    limit -= (min(1.0, kept) if afterwards <= AFTERWARDS else kept) if limit < math.inf else 0.0
    checkpoint = scratch.checkpoint(Path(folder), key, fold)
    curve: list[tuple[int, float]] = []
    model = learner_named(learner).fit(
        rows.task,
        rows.schema,
        examples_of(rows, None if fold is None else _sample(rows.learnt(fold), most_rows, seed)),
        None if fold is None else examples_of(rows, rows.judged(fold)),
        parameters=dict(parameters),
        effort=Effort(
            deadline=limit,
            threads=threads,
            seed=seed,
            checkpoint=str(checkpoint),
            cache=cache,
            rough=cache is not None and fold is not None,
        ),
        report=_kept(curve, _sparse(report)),
    )
    fitted = time.monotonic()
    if not report({"fitted": fitted}):  # nobody waits for the model of a fit that was stopped
        shutil.rmtree(checkpoint, ignore_errors=True)
        return {"loss": None, "seconds": fitted - begun}
    prediction, loss = (None, math.nan) if fold is None else _judge(rows, fold, model)
    predicted = time.monotonic()
    payloads = model.save()
    curves = {name: thinned(points) for name, points in model.curves.items()} if isinstance(model, Recounting) else {}
    result = scratch.FoldResult(
        loss=loss,
        seconds=fitted - begun,
        predict_seconds=predicted - fitted,
        # A learner stops a little before its limit, when the next round would not fit any more.
        cut=fitted > limit - 0.1 * (limit - begun),
        bytes=sum(map(len, payloads.values())),
        tensors=sum(len(content) for name, content in payloads.items() if name.endswith(_TENSORS)),
        kept_seconds=model.kept_seconds if isinstance(model, Preparing) else 0.0,
        rows_read=model.rows_read if isinstance(model, Preparing) else None,
        curve=curves.pop("loss", ()) or thinned(curve),
        curves=curves,
        learned=dict(model.learned),
    )
    scratch.write_result(Path(folder), key, fold, result, prediction, payloads)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return {"loss": loss, "seconds": result.seconds}


def rows_of(folder: str) -> scratch.Rows:
    """Return the rows of the study in a folder, mapped once a process."""
    return _rows(folder, (Path(folder) / "study.json").stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _rows(folder: str, written: int) -> scratch.Rows:  # noqa: ARG001
    """Map the rows of a study once a process; a study that was begun anew in the same folder was written later."""
    return scratch.read_rows(Path(folder))


def examples_of(rows: scratch.Rows, chosen: np.ndarray | None) -> Examples:
    """Return the rows of these numbers, or all where it is None, to learn from or to judge by."""
    if chosen is None:
        return Examples(table=rows.table, target=np.asarray(rows.target), weight=_array(rows.weight))
    return Examples(
        table=rows.table.take(chosen),
        target=np.asarray(rows.target[chosen]),
        weight=None if rows.weight is None else np.asarray(rows.weight[chosen]),
    )


def _sample(chosen: np.ndarray, most: int | None, seed: int) -> np.ndarray:
    if most is None or len(chosen) <= most:
        return chosen
    return np.sort(np.random.default_rng(seed).choice(chosen, most, replace=False))


def _array(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else np.asarray(values)


def _judge(rows: scratch.Rows, fold: int, model: Model) -> tuple[np.ndarray, float]:
    judged = rows.judged(fold)
    prediction = np.asarray(model.predict(rows.table.take(judged)), dtype=np.float64)
    missing = np.isnan(prediction) & (rows.task.kind == "tokens")  # no word, or one that was not read
    if not (np.isfinite(prediction) | missing).all():
        raise LubanError("the model predicted numbers that are not finite", remedy="Leave this learner out.")
    return prediction, loss_of(rows.task.metric, rows.task, np.asarray(rows.target[judged]), prediction)


def _kept(curve: list[tuple[int, float]], report: Callable[[int, float], bool]) -> Callable[[int, float], bool]:
    """Return a report that also keeps what it was told, thinned out where it is told much."""

    def tell(step: int, loss: float) -> bool:
        curve.append((int(step), float(loss)))
        if len(curve) > 10 * LONGEST:
            curve[:] = thinned(curve)
        return report(step, loss)

    return tell


def _sparse(report: Callable[[Any], bool]) -> Callable[[int, float], bool]:
    """Return a report of rounds that sends few of them and passes on whether to go on."""
    last, goes_on = 0.0, True

    def tell(step: int, loss: float) -> bool:
        nonlocal last, goes_on
        now = time.monotonic()
        if now - last >= _REPORT_EVERY:
            last, goes_on = now, report({"step": step, "loss": loss})
        return goes_on

    return tell
