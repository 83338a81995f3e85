"""The classes of a target: its labels, which of them can be learnt, and the answers of matching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError
from luban.data.labels import alike_note, order, spaces_note, spelling

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.task import Label

MOST_CLASSES = 1000
# Rows x answers: so many probabilities of 8 bytes are held at once when a model is judged.
MOST_MATCHES = 250_000_000


def labels_of(values: pa.Array) -> list[Label]:
    """Return the different labels, whole numbers as int, each once whatever its spelling."""
    found: dict[str, Label] = {}
    for label in values.unique().to_pylist():
        if label is None:
            continue
        found.setdefault(spelling(label), _label(label))
    return list(found.values())


def _label(value: Any) -> Label:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | int):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    number = float(value)
    return int(number) if number.is_integer() else number


def classes_of(target: str, values: pa.Array, notes: list[str]) -> tuple[tuple[Label, ...], np.ndarray]:
    """Return the classes, and which rows have one that can be learnt."""
    labels = labels_of(values)
    _check_classes(target, labels, len(values))
    places = {spelling(label): place for place, label in enumerate(labels)}
    coded = values.dictionary_encode()
    table = np.array([places[spelling(label)] for label in coded.dictionary.to_pylist()])
    codes = table[coded.indices.to_numpy(zero_copy_only=False)]
    counts = np.bincount(codes, minlength=len(labels))
    single = counts < 2
    if single.all() or (~single).sum() < 2:
        names = ", ".join(repr(labels[place]) for place in np.flatnonzero(single)[:5])
        raise InputError(
            f"fewer than two classes of the target {target!r} have more than one row",
            seen=f"one row each: {names}",
            remedy="Give more rows of them, or name another target.",
        )
    if single.any():
        names = ", ".join(repr(labels[place]) for place in np.flatnonzero(single)[:5])
        notes.append(f"Classes with a single row cannot be learnt and are left out: {names}.")
    classes = order(label for label, alone in zip(labels, single, strict=True) if not alone)
    notes.extend(spaces_note(target, coded.dictionary.to_pylist()))
    notes.extend(alike_note(target, classes))
    if len(classes) == 2:
        notes.append(f"The positive class is {classes[1]!r}.")
    return classes, ~single[codes]


def _check_classes(target: str, labels: list[Label], rows: int) -> None:
    if len(labels) < 2:
        raise InputError(
            f"the target {target!r} has one class only",
            seen=f"{labels[0]!r} in all {rows:,} rows",
            remedy="Give rows of another class too, or name another target.",
        )
    if len(labels) > MOST_CLASSES or len(labels) > rows / 2:
        raise InputError(
            f"the target {target!r} has too many different labels for classes",
            seen=f"{len(labels):,} labels in {rows:,} rows",
            remedy="Name another target, or give --task regression (task='regression' in Python) if it holds numbers, "
            "--task matching if it holds the answers to questions.",
        )


def answers_of(target: str, values: pa.Array, notes: list[str]) -> tuple[Label, ...]:
    """Return the answers that a text can be matched with; one that a single row has is as good as any."""
    labels = labels_of(values)
    if len(labels) < 2:
        raise InputError(
            f"the target {target!r} has one answer only",
            seen=f"{str(labels[0])[:80]!r} in all {len(values):,} rows",
            remedy="Give rows with other answers too, or name another target.",
        )
    if len(labels) * len(values) > MOST_MATCHES:
        raise InputError(
            f"the target {target!r} has too many answers to rank them all for every row",
            seen=f"{len(labels):,} answers, {len(values):,} rows",
            remedy="Give fewer rows, or answers that are chapters rather than sentences.",
        )
    notes.extend(alike_note(target, labels))
    return order(labels)
