"""The reasons of one prediction, in words and as bars."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.data.shares import percent
from luban.evaluation.words import number, signed, significant
from luban.trust.explain.parts import because
from luban.trust.explain.subject import output_names, short_unit, unit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

    from luban.core.task import Task

_NAMED = 3
_SHOWN = 10
_LONGEST = 40
_LABEL = 60


def explained_output(task: Task, prediction: np.ndarray) -> int:
    """Return which output of one prediction is explained: the decided class, the middle quantile, or the only one."""
    if task.classes and task.kind != "binary":
        return int(prediction.argmax())
    return len(task.quantiles) // 2


def reasons(
    task: Task,
    row: int,
    inputs: pa.Table,
    prediction: np.ndarray,
    values: np.ndarray,
    base: np.ndarray,
    *,
    decision: int = 0,
    files: Collection[str] = (),
) -> tuple[Finding, dict[str, Any]]:
    """Return why one row is predicted as it is.

    Parameters
    ----------
    row : int
        Its number, as the user counts (from 0).
    inputs : pyarrow.Table
        Its canonical inputs, one row.
    prediction : numpy.ndarray
        Its prediction, shape (K,), (Q,) or ().
    values, base : numpy.ndarray
        Its contributions (columns, outputs) and what they start from (outputs,).
    decision : int
        Code of the class that the model decides for.
    files : collection of str
        Columns whose values are references to files: where these lie says nothing, and is nobody's business.

    Returns
    -------
    tuple
        The finding, and the same as JSON values.
    """
    output = explained_output(task, np.asarray(prediction))
    pushes = values[:, output]
    names = inputs.column_names
    seen = [inputs.column(i)[0].as_py() for i in range(len(names))]
    values_said = [
        name if name in files and value else f"{name} = {written(value)}"
        for name, value in zip(names, seen, strict=True)
    ]
    ranked = np.argsort(-np.abs(pushes), kind="stable")
    told = [f"{values_said[i]} {_pushes(task, output, float(pushes[i]))}" for i in ranked[:_NAMED] if pushes[i] != 0]
    because = f", because {'; '.join(told)}" if told else ", as for the average row"
    bars = [(values_said[i], significant(pushes[i])) for i in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        bars.append((f"{len(ranked) - _SHOWN} other columns", significant(pushes[ranked[_SHOWN:]].sum())))
    of = output_names(task)[output]
    finding = Finding(
        what=f"Row {row}: {_said(task, prediction, output, decision)}{because}",
        value=significant(float(base[output] + pushes.sum())),
        evidence=(
            Evidence(
                title=f"Reasons for row {row}",
                columns=("input", f"push ({unit(task)})"),
                rows=tuple(bars),
                drawing="bar",
                x="",
                y=f"push on {of} ({unit(task)})",
            ),
        ),
    )
    figures = {
        "row": row,
        "output": of,
        "unit": unit(task),
        "prediction": np.asarray(prediction).tolist(),
        "base": float(base[output]),
        "contributions": {names[i]: float(pushes[i]) for i in ranked},
    }
    return finding, figures


def with_parts(finding: Finding, parts: Sequence[Evidence], said: str, truth: str, *, alone: bool) -> Finding:
    """Return the finding of a row with what the model shows of the parts of its values.

    Parameters
    ----------
    said : str
        What is predicted, in words.
    truth : str
        What is true, in words, where it is another.
    alone : bool
        Whether there is one column only: that all comes from it is not said then.
    """
    words = because(parts)
    if not alone:
        more = f"; its words: {words}" if words else ""
        return replace(finding, what=finding.what + more + truth, evidence=(*finding.evidence, *parts))
    what = f"{said}, because of {words}" if words else said
    return replace(finding, what=what + truth, evidence=tuple(parts))


def truth_said(task: Task, decision: Any, truth: Any) -> str:
    """Return what is true, where it is known and is not what the model decides for."""
    if truth is None or task.kind in ("multilabel", "tokens"):
        return ""
    if not task.classes:
        return f"; in truth {number(float(truth))}"
    return "" if int(truth) == int(decision) else f"; in truth {named(task.classes[int(truth)])}"


def prediction_said(
    task: Task, row: int, prediction: np.ndarray, decision: Any, *, entry: int = 0, text: str = ""
) -> str:
    """Return what is predicted of a row, for tasks of any kind.

    Parameters
    ----------
    decision
        What the model decides for.
    entry : int
        Of labels of words the place, in the flattened prediction, of the one that is explained.
    text : str
        The words, one blank between them.
    """
    if task.kind == "multilabel":
        names = [named(label) for label, given in zip(task.classes, np.asarray(decision), strict=True) if given]
        likeliest = f"{named(task.classes[int(prediction.argmax())])} {percent(float(prediction.max()))}"
        return f"Row {row}: predicted {', '.join(names) or 'no label'} (likeliest {likeliest})"
    if task.kind == "tokens":
        word, label = divmod(entry, len(task.classes))
        if word >= len(prediction) or not np.isfinite(prediction[word, label]):
            return f"Row {row}: it has no word"
        written_word = named(([*text.split(), *[""] * len(prediction)])[word])
        share = percent(float(prediction[word, label]))
        return f"Row {row}: word {word + 1}, “{written_word}”, is labelled {named(task.classes[label])} ({share})"
    if task.kind == "matching" and int(decision) < 0:
        likeliest = f"{named(task.classes[int(prediction.argmax())])} {percent(float(prediction.max()))}"
        return f"Row {row}: no answer is sure enough (likeliest {likeliest})"
    return f"Row {row}: {_said(task, prediction, explained_output(task, prediction), int(decision))}"


def plain(prediction: np.ndarray) -> Any:
    """Return a prediction as a JSON value, None for what is no number."""
    values = np.asarray(prediction, dtype=np.float64).astype(object)
    values[values != values] = None  # noqa: PLR0124 - only what is no number differs from itself
    return values.tolist()


def _pushes(task: Task, output: int, push: float) -> str:
    """Return a push in words, with its unit: a person must not take it for a change of probability."""
    if task.kind == "binary":
        return f"pushes towards {named(task.classes[1 if push > 0 else 0])} ({signed(push)} {short_unit(task)})"
    if task.classes:
        way = "towards" if push > 0 else "away from"
        return f"pushes {way} {named(task.classes[output])} ({signed(push)} {short_unit(task)})"
    return f"pushes {'up' if push > 0 else 'down'} by {number(abs(push))} ({short_unit(task)})"


def _said(task: Task, prediction: np.ndarray, output: int, decision: int) -> str:
    """Return what is predicted: the class that the model decides for, and how probable the explained one is."""
    if task.kind == "binary":
        # The colon parts a class that is called 1 from its probability.
        return f"predicted {named(task.classes[decision])} ({named(task.classes[1])}: {percent(float(prediction[1]))})"
    if task.classes:
        return f"predicted {named(task.classes[output])} ({percent(float(prediction[output]))})"
    level = f" (quantile {task.quantiles[output]:g})" if task.quantiles else ""
    return f"predicted {task.target} = {number(float(prediction[output] if task.quantiles else prediction))}{level}"


def named(label: Any) -> str:
    """Return a label as it is written in a sentence: an answer that is a text of its own is cut."""
    text = " ".join(str(label).split())
    return text if len(text) <= _LABEL else text[: _LABEL - 1].rstrip() + "…"


def written(value: Any) -> str:
    """Return an input value as it is written in a sentence."""
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    if isinstance(value, float):
        return number(value)
    text = value.isoformat(sep=" ") if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
