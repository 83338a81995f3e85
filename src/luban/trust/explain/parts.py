"""What in the value of a column a prediction rests on, as the model itself can show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from luban.core.budget import Effort
from luban.core.protocols import Attributing
from luban.execution.resources import resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from luban.core.protocols import Model
    from luban.core.report import Evidence
    from luban.core.task import Task
    from luban.trust.explain.subject import Clock

_NAMED = 3
_LEAST = 0.25
# What stands around words.
_MARKS = " ,.;:!?'\"()“”（），。；：！？、"


@runtime_checkable
class PartlyAttributing(Protocol):
    """Ability of an ensemble: it tells which of its members shows the parts of a value."""

    @property
    def attributed(self) -> tuple[str, float]:
        """Learner of the member, and its share; empty and 0 where no member can."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What there is to show of some rows.

    Parameters
    ----------
    evidence : sequence of sequence of Evidence
        Of each row.
    note : str
        Of what it speaks, in words; empty where it is the whole model.
    """

    evidence: Sequence[Sequence[Evidence]]
    note: str


def can_show(model: Model) -> bool:
    """Return whether the model can show which parts of a value its predictions rest on."""
    told = not isinstance(model, PartlyAttributing) or model.attributed[1] > 0
    return told and isinstance(model, Attributing)


def explained_entries(task: Task, predictions: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return which entry of each row's flattened prediction is explained, int64 of shape (n,).

    The class that is decided for; the likeliest label; the middle quantile; of words the one that is labelled most
    surely otherwise than most words are.
    """
    rows = len(predictions)
    if task.kind in ("binary", "multiclass"):
        return np.asarray(codes, dtype=np.int64)
    if task.kind == "tokens":
        return np.array([_word(one) for one in predictions], dtype=np.int64)
    if task.classes:
        return np.asarray(predictions.argmax(axis=1), dtype=np.int64)
    return np.full(rows, len(task.quantiles) // 2, dtype=np.int64)


def shown_parts(model: Model, table: pa.Table, entries: np.ndarray, *, clock: Clock, seed: int) -> Parts:
    """Return what the model shows of rows within the time.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical inputs of the rows.
    entries : numpy.ndarray
        What is explained of each, see `explained_entries`.
    """
    assert isinstance(model, Attributing)
    note = ""
    if isinstance(model, PartlyAttributing):
        learner, share = model.attributed
        note = f"as {learner} sees it, which has {share:.0%} of the ensemble's weight" if share < 1 else ""
    effort = Effort(deadline=clock.deadline, threads=resources().cpus, seed=seed)
    return Parts(evidence=model.attributions(table, entries, effort=effort), note=note)


def because(evidence: Sequence[Evidence]) -> str:
    """Return the pieces that speak most for the prediction, in words; empty where there are none."""
    pieces: dict[str, float] = {}
    for one in evidence:
        text, strongest = "", 0.0
        # Pieces that follow each other without a space, as those of Chinese do, are said as one.
        for piece, weight in (*one.rows, ("", None)) if one.drawing == "spans" else ():
            if weight is not None and weight >= _LEAST:
                text, strongest = text + piece, max(strongest, weight)
                if piece[-1:].isalnum():
                    continue
            name = text.strip(_MARKS)
            if name:
                pieces[name] = max(strongest, pieces.get(name, 0.0))
            text, strongest = "", 0.0
    named = sorted(pieces, key=lambda name: -pieces[name])[:_NAMED]
    return ", ".join(f"“{name}”" for name in named)


def figures_of(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Return the evidence as JSON values; what is drawn as a picture is in the report's evidence alone."""
    return [
        {
            "title": one.title,
            "drawing": one.drawing,
            "rows": [list(row) for row in one.rows] if one.drawing != "picture" else [[row[0]] for row in one.rows],
            "unit": one.y,
        }
        for one in evidence
    ]


def _word(prediction: np.ndarray) -> int:
    """Return the place of the surest label that is not the usual one, in a flattened (words, labels)."""
    known = np.nan_to_num(prediction, nan=-1.0)
    labels = known.argmax(axis=1)
    read = known.max(axis=1) >= 0
    usual = np.bincount(labels[read], minlength=prediction.shape[1]).argmax() if read.any() else 0
    sure = np.where(read & (labels != usual), known.max(axis=1), -1.0)
    word = int(sure.argmax()) if (sure >= 0).any() else 0
    return int(word * prediction.shape[1] + labels[word])
