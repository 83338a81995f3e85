"""From a model's values to what a client is told: labels, probabilities, quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.learners.decisions import NONE, best, decide
from luban.learners.predictions import label_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.task import Label, Task


_LISTED = ("multilabel", "tokens", "matching")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Predictions of some rows.

    Parameters
    ----------
    outputs : mapping of str to numpy.ndarray
        ``prediction`` (n,), and ``probabilities`` (n, K) for classes or ``quantiles`` (n, Q). For multilabel
        ``prediction`` (n, K) says whether each label is given. For tokens ``prediction`` (n, L) holds the words' labels
        as text, empty where there is none, and ``probability`` (n, L) theirs. For matching ``prediction`` (n,) holds
        the answers as text, empty where none is given (``answered`` is false), ``score`` (n,), and the best three as
        ``alternatives`` and ``alternative_scores`` (n, 3).
    decided : numpy.ndarray, optional
        What `luban.learners.decisions.decide` returned, for these three kinds of task.
    notes : tuple of str
        What was done to make the rows fit the model.
    """

    outputs: Mapping[str, np.ndarray]
    decided: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it is for."""
        return len(self.outputs["prediction"])


def answer(
    task: Task, labels: np.ndarray, values: np.ndarray, threshold: float | None, notes: tuple[str, ...] = ()
) -> Answer:
    """Return the answer for what `Model.predict` returns.

    Parameters
    ----------
    labels : numpy.ndarray
        The classes as an array; empty for other tasks.
    values : numpy.ndarray
        As `Model.predict` returns them.
    threshold : float, optional
        Probability from which the positive class is predicted, a label or an answer given.
    """
    if task.kind in _LISTED:
        return _listed(task, values, threshold, notes)
    if task.classifies:
        if threshold is None or task.kind != "binary":
            codes = values.argmax(axis=1)
        else:
            codes = (values[:, 1] >= threshold).astype(np.int64)
        return Answer(outputs={"prediction": labels[codes], "probabilities": values}, notes=notes)
    if task.quantiles:
        return Answer(outputs={"prediction": values[:, middle(task)], "quantiles": values}, notes=notes)
    return Answer(outputs={"prediction": values}, notes=notes)


def answer_row(task: Task, values: Any, threshold: float | None) -> dict[str, Any]:
    """Return the answer for one row's values, shape (K,), (), (Q,) or (L, K), in plain Python values."""
    if task.kind in _LISTED:
        return answered_rows(task, _listed(task, np.asarray(values)[None], threshold, ()))[0]
    listed = values.tolist()
    if task.classifies:
        decided = threshold is not None and task.kind == "binary"
        code = int(listed[1] >= threshold) if decided else listed.index(max(listed))
        probabilities: dict[Label, float] = dict(zip(task.classes, listed, strict=True))
        return {"prediction": task.classes[code], "probabilities": probabilities}
    if task.quantiles:
        return {"prediction": listed[middle(task)], "quantiles": dict(zip(task.quantiles, listed, strict=True))}
    return {"prediction": listed}


def _listed(task: Task, values: np.ndarray, threshold: float | None, notes: tuple[str, ...]) -> Answer:
    codes = decide(task, values, threshold)
    if task.kind == "multilabel":
        return Answer(outputs={"prediction": codes, "probabilities": values}, decided=codes, notes=notes)
    named = np.array([*(label_text(label) for label in task.classes), ""], dtype=object)  # the last one for none, -1
    if task.kind == "tokens":
        likeliest = np.nan_to_num(values).max(axis=2, initial=0.0)
        return Answer(outputs={"prediction": named[codes], "probability": likeliest}, decided=codes, notes=notes)
    ranked = best(values)
    outputs = {
        "prediction": named[codes],
        "answered": codes != NONE,
        "score": values.max(axis=1, initial=0.0),
        "alternatives": named[ranked],
        "alternative_scores": np.take_along_axis(values, ranked, axis=1),
    }
    return Answer(outputs=outputs, decided=codes, notes=notes)


def _told(task: Task, found: Answer, row: int) -> dict[str, Any]:
    assert found.decided is not None
    outputs, codes = found.outputs, found.decided[row]
    if task.kind == "multilabel":
        probabilities = dict(zip(task.classes, outputs["probabilities"][row].tolist(), strict=True))
        return {"prediction": [task.classes[code] for code in np.flatnonzero(codes)], "probabilities": probabilities}
    if task.kind == "tokens":
        end = int(np.flatnonzero(codes >= 0)[-1]) + 1 if (codes >= 0).any() else 0
        return {
            "prediction": [None if code == NONE else task.classes[code] for code in codes[:end]],
            "probability": outputs["probability"][row, :end].tolist(),
        }
    pairs = zip(outputs["alternatives"][row].tolist(), outputs["alternative_scores"][row].tolist(), strict=True)
    return {
        "prediction": None if codes == NONE else task.classes[int(codes)],
        "score": float(outputs["score"][row]),
        "alternatives": [{"answer": answer, "score": score} for answer, score in pairs],
    }


def middle(task: Task) -> int:
    """Return the place of the quantile nearest to the median."""
    return min(range(len(task.quantiles)), key=lambda place: abs(task.quantiles[place] - 0.5))


def answered_rows(task: Task, found: Answer) -> list[dict[str, Any]]:
    """Return an answer row by row, each as `answer_row` gives it."""
    if found.decided is not None:
        return [_told(task, found, row) for row in range(found.rows)]
    labels = found.outputs["prediction"].tolist()
    names, key = (task.classes, "probabilities") if task.classifies else (task.quantiles, "quantiles")
    if not names:
        return [{"prediction": label} for label in labels]
    return [
        {"prediction": label, key: dict(zip(names, row, strict=True))}
        for label, row in zip(labels, found.outputs[key].tolist(), strict=True)
    ]
