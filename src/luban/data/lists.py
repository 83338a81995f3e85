"""Targets of several labels a row: any number of them (multilabel), or one a word (tokens)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.data.labels import alike_note, order, spelling
from luban.data.numbers import flat
from luban.data.sources.values import text
from luban.data.storage import plain_type
from luban.data.words import is_listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.task import Label, Task

SEPARATORS = (";", "|", ",")
"""Between labels that are written as one text; the first of them that is found anywhere in a column is its."""
MOST_LABELS = 1000


def label_lists(target: str, kind: str, values: pa.ChunkedArray | pa.Array) -> list[list[Any]]:
    """Return the labels of each row, as they are written; values must not be missing.

    Raises
    ------
    InputError
        If the target holds neither lists nor text.
    """
    array = flat(values)
    storage = plain_type(array.type)
    if is_listed(storage):
        return [list(one) for one in array.to_pylist()]
    if not pa.types.is_string(storage):
        raise InputError(
            f"the target {target!r} holds no lists of labels",
            seen=str(storage),
            remedy="Give a list of labels a row, or a text such as 'a;b'.",
        )
    texts = array.to_pylist()
    if kind == "tokens":
        return [one.split() for one in texts]
    separator = next((one for one in SEPARATORS if any(one in each for each in texts)), None)
    return [_parts(one, separator) for one in texts]


def _parts(value: str, separator: str | None) -> list[str]:
    parts = [value] if separator is None else value.split(separator)
    return [one.strip() for one in parts if one.strip()]


def labels_in(target: str, kind: str, lists: Sequence[Sequence[Any]], notes: list[str]) -> tuple[Label, ...]:
    """Return all labels in natural order, and note what is unusual: rows without any, labels that are seen once.

    Raises
    ------
    InputError
        If there is no label, one only where two are needed, or too many.
    """
    frequent: Counter[str] = Counter()
    first: dict[str, Label] = {}
    for row in lists:
        for one in {spelling(each): each for each in row if each is not None}.items():
            first.setdefault(one[0], _label(one[1]))
            frequent[one[0]] += 1
    least = 1 if kind == "multilabel" else 2
    if len(first) < least:
        seen = f"{next(iter(first.values()))!r} alone" if first else f"empty lists in all {len(lists):,} rows"
        raise InputError(
            f"the target {target!r} has too few labels to learn from", seen=seen, remedy="Give rows with others too."
        )
    if len(first) > MOST_LABELS:
        raise InputError(
            f"the target {target!r} has too many different labels",
            seen=f"{len(first):,} labels in {len(lists):,} rows",
            remedy=f"Keep the {MOST_LABELS:,} most frequent ones, or name another target.",
        )
    if kind == "multilabel" and len(first) == 1 and frequent.total() == len(lists):
        raise InputError(f"every row has the one label of the target {target!r}", seen=repr(next(iter(first.values()))))
    empty = sum(not row for row in lists)
    if empty and kind == "multilabel":
        notes.append(f"{empty:,} of {len(lists):,} rows have no label of {target!r}; they teach where none is due.")
    single = [repr(first[one]) for one, count in frequent.items() if count == 1]
    if single:
        shown = ", ".join(single[:5]) + (f" and {len(single) - 5} more" if len(single) > 5 else "")
        notes.append(f"Labels of {target!r} that a single row has can hardly be learnt: {shown}.")
    notes.extend(alike_note(target, first.values()))
    return order(first.values())


def _label(value: Any) -> Label:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, float) else str(text(value))


def indicators(task: Task, values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return which labels each row bears: float64, 0 or 1, shape (n, K).

    A text that is a label as a whole is that label, though it holds a separator.

    Raises
    ------
    InputError
        If a label is not known, naming the first such row.
    """
    known = {spelling(label): code for code, label in enumerate(task.classes)}
    array = flat(values)
    found = np.zeros((len(array), len(task.classes)))
    for row, labels in enumerate(_read(task, array, known)):
        for label in labels:
            code = known.get(spelling(label)) if label is not None else None
            if code is None:
                raise _unknown(task, label, row)
            found[row, code] = 1.0
    return found


def known_lists(task: Task, values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return which rows bear no label that is not known, shape (n,), bool; values must not be missing."""
    known = {spelling(label): code for code, label in enumerate(task.classes)}
    wordless = (None,) if task.kind == "tokens" else ()  # a word may have no label
    rows = _read(task, flat(values), known)
    return np.array([all(one in wordless or spelling(one) in known for one in row) for row in rows], dtype=bool)


def _read(task: Task, array: pa.Array, known: dict[str, int]) -> list[list[Any]]:
    """Return the labels of each row; a text that is a label as a whole is that label."""
    lists = label_lists(task.target, task.kind, array)
    if task.kind == "tokens" or is_listed(plain_type(array.type)):
        return lists
    return [_known_parts(text, row, known) for text, row in zip(array.to_pylist(), lists, strict=True)]


def _known_parts(value: str, parts: list[Any], known: dict[str, int]) -> list[Any]:
    """Return the labels in a text: as the column is cut if they are known so, else as another separator cuts them."""
    for tried in (parts, [value], *(_parts(value, one) for one in SEPARATORS)):
        if all(spelling(one) in known for one in tried):
            return tried
    return parts


def word_codes(task: Task, values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return the label of each word: int64, shape (n, L), -1 where a row has fewer words or a word no label.

    Raises
    ------
    InputError
        If a label is not known, naming the first such row.
    """
    known = {spelling(label): code for code, label in enumerate(task.classes)}
    lists = label_lists(task.target, task.kind, values)
    codes = np.full((len(lists), max(map(len, lists), default=0)), -1, dtype=np.int64)
    for row, labels in enumerate(lists):
        for place, label in enumerate(labels):
            if label is None:
                continue
            code = known.get(spelling(label))
            if code is None:
                raise _unknown(task, label, row)
            codes[row, place] = code
    return codes


def lengths(target: str, values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return how many labels of words each row has, shape (n,), int64."""
    return np.array([len(one) for one in label_lists(target, "tokens", values)], dtype=np.int64)


def _unknown(task: Task, label: Any, row: int) -> InputError:
    return InputError(
        f"the target {task.target!r} has a label that the model does not know",
        seen=f"{label!r} in row {row + 1}",
        remedy=f"Known labels: {', '.join(map(str, task.classes[:12]))}. Leave such rows out, or fit again.",
    )
