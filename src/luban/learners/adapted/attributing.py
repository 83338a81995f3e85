"""What learners that stand on networks share to explain their answers: the score of one output, row by row."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from luban.core.report import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    import torch

    from luban.core.budget import Effort
    from luban.core.task import Task
    from luban.learners.adapted.frozen import Frozen, Part

_SMALLEST = 1e-6
_LABEL = 60  # characters
# Stands in the place of a word where each has a label, so that the others keep their places.
_NO_WORD = "_"


def score_of(task: Task, margins: torch.Tensor, output: int) -> torch.Tensor:
    """Return how strongly each row speaks for an output of the task, shape (n,).

    Log-odds of a class or a label; the number itself where there are no classes. For a label a word `output` is the
    place in the flattened (words, labels).
    """
    if task.kind == "binary":
        return margins[:, 0] if output == 1 else -margins[:, 0]
    if task.kind == "tokens":
        word, label = divmod(output, len(task.classes))
        margins, output = margins[:, word], label
    if task.classes and task.kind != "multilabel":
        others = margins.clone()
        others[:, output] = -float("inf")
        return margins[:, output] - others.logsumexp(dim=1)
    return margins[:, output]


def named(label: object) -> str:
    """Return a label as it is written in a title: an answer that is a text of its own is cut."""
    text = " ".join(str(label).split())
    return text if len(text) <= _LABEL else text[: _LABEL - 1].rstrip() + "…"


def words_of(task: Task, output: int) -> tuple[str, str]:
    """Return (unit, what a larger score speaks for) of an output."""
    if task.kind == "tokens":
        word, label = divmod(output, len(task.classes))
        return "of log-odds", f"{named(task.classes[label])} at word {word + 1}"
    if task.classes:
        return "of log-odds", named(task.classes[output])
    return f"of {task.target}", f"a higher {task.target}"


def by_row(
    table: pa.Table,
    outputs: np.ndarray,
    effort: Effort,
    explain: Callable[[pa.Table, int, Effort], Sequence[Evidence]],
) -> list[tuple[Evidence, ...]]:
    """Return what `explain` finds for each row, each with its share of the time left."""
    found = []
    for place, part in enumerate(parts_of(effort, table.num_rows)):
        found.append(tuple(explain(table.slice(place, 1), int(outputs[place]), part)))
    return found


def parts_of(effort: Effort, count: int) -> Iterator[Effort]:
    """Yield an effort for each of so many pieces of work, sharing the time left."""
    for done in range(count):
        now = time.monotonic()
        yield replace(effort, deadline=now + max(0.0, effort.deadline - now) / (count - done))


def frozen_evidence(
    features: Frozen,
    row: pa.Table,
    score: Callable[[torch.Tensor], torch.Tensor],
    *,
    words: tuple[str, str],
    effort: Effort,
) -> list[Evidence]:
    """Return the evidence of each column that backbones read, the others being as they are.

    Parameters
    ----------
    score : callable
        From features, shape (m, width), to the score of each, shape (m,).
    """
    import torch

    from luban.foundation.attribution.attribute import attribute
    from luban.foundation.attribution.reading import Reading

    known = torch.from_numpy(features.transform(row))
    found: list[Evidence] = []
    columns = [(part, span, name) for part, span in features.spans for name in part.columns]
    for (part, span, name), own in zip(columns, parts_of(effort, len(columns)), strict=True):
        beside = _beside(features, part, row, name)

        def scored(
            tensors: Mapping[str, torch.Tensor],
            part: Part = part,
            span: slice = span,
            name: str = name,
            beside: torch.Tensor | None = beside,
        ) -> torch.Tensor:
            vector = _scaled(part.backbone.body(**tensors).pooled)
            if beside is not None:
                pair = (vector, beside.expand_as(vector))
                first, second = pair if part.columns[0] == name else pair[::-1]
                vector = torch.cat([first, second, (first - second).abs(), first * second], dim=1)
            rows = len(vector)
            whole = known.expand(rows, -1)
            return score(torch.cat([whole[:, : span.start], vector, whole[:, span.stop :]], dim=1))

        unit, towards = words
        reading = Reading(
            body=part.backbone.body,
            preparation=part.backbone.preparation((name,)),
            score=scored,
            unit=unit,
            towards=towards,
        )
        found += attribute(reading, row, effort=own)
    return found


def _beside(features: Frozen, part: Part, row: pa.Table, name: str) -> torch.Tensor | None:
    """Return the vector of the other text of a pair, shape (1, d), None where the part reads one column."""
    import torch

    if len(part.columns) == 1:
        return None
    other = next(one for one in part.columns if one != name)
    start = 0
    for one, span in features.spans:
        if one is part:
            start = span.start
    offset = start + part.columns.index(other) * part.backbone.dimension
    return torch.from_numpy(features.transform(row)[:, offset : offset + part.backbone.dimension])


def _scaled(vectors: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    return functional.normalize(vectors, dim=1, eps=1e-12) * vectors.shape[1] ** 0.5


def word_evidence(
    task: Task,
    row: pa.Table,
    columns: Sequence[str],
    output: int,
    predict: Callable[[pa.Table], np.ndarray],
    *,
    effort: Effort,
) -> list[Evidence]:
    """Return what the prediction of a row loses as each word of its texts is left out, whatever the model is."""
    import pyarrow as pa

    from luban.foundation.attribution.covered_words import covered_words

    unit, towards = words_of(task, output)
    found: list[Evidence] = []
    for column, own in zip(columns, parts_of(effort, len(columns)), strict=True):
        place = row.column_names.index(column)

        def score(texts: Sequence[str], column: str = column, place: int = place) -> np.ndarray:
            rows = row.take(pa.array([0] * len(texts))).set_column(place, column, pa.array(texts, pa.string()))
            return strength(task, predict(rows), output)

        text = row.column(place)[0].as_py()
        if text and not own.expired:
            instead = _NO_WORD if task.kind == "tokens" else ""
            found += covered_words(
                column, text, score, unit=unit, towards=towards, deadline=own.deadline, instead=instead
            )
    return found


def strength(task: Task, predictions: np.ndarray, output: int) -> np.ndarray:
    """Return log-odds of an entry of the predictions, or the number itself, shape (n,)."""
    flat = predictions.reshape(len(predictions), -1)[:, output]
    if not task.classes:
        return flat
    sure = np.clip(flat, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(sure / (1 - sure)))


def shares_of(names: Sequence[str], values: np.ndarray, unit: str, towards: str) -> Evidence:
    """Return how much each part adds to a score, as bars, the largest first."""
    order = np.argsort(-np.abs(values), kind="stable")
    return Evidence(
        title=f"What each part adds for {towards}",
        columns=("part", "push"),
        rows=tuple((names[i], float(f"{values[i]:.4g}")) for i in order),
        drawing="bar",
        y=f"push {unit}",
    )
