"""The target column as numbers to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.data.infer import kind_of_type
from luban.data.labels import spelling
from luban.data.lists import indicators, known_lists, lengths, word_codes
from luban.data.numbers import flat, to_numbers
from luban.data.storage import plain_type
from luban.data.words import WORDS, counts

if TYPE_CHECKING:
    from luban.core.task import Task


def encode_target(task: Task, values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return class codes (int64, 0..K-1, in the order of ``task.classes``), or float64 values.

    For multilabel tasks 0 and 1 (float64, shape (n, K)), for tokens the codes of the words' labels (int64, shape
    (n, L), -1 behind the last word). Labels are matched whatever their storage: ``1``, ``1.0`` and ``"1"`` are one
    label.

    Parameters
    ----------
    task : Task
    values : pyarrow array, length n

    Returns
    -------
    numpy.ndarray, shape (n,), (n, K) or (n, L)

    Raises
    ------
    InputError
        If a value is missing, is no known class, or is no finite number, naming the first such row.
    """
    array = flat(values)
    absent = missing_target(array)
    if absent.any():
        raise InputError(
            f"the target {task.target!r} has missing values",
            seen=f"{int(absent.sum()):,} of {len(absent):,} rows, the first is row {int(absent.argmax()) + 1}",
            remedy="Leave those rows out.",
        )
    if task.kind == "multilabel":
        return indicators(task, array)
    if task.kind == "tokens":
        return word_codes(task, array)
    return _codes(task, array) if task.classifies else _numbers(task, array)


def labelled_rows(
    task: Task, values: pa.ChunkedArray | pa.Array, texts: pa.ChunkedArray | pa.Array | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, target): the rows that have a target the task knows, ascending, and their target encoded.

    Rows without a target, and rows of a class or label that the task does not have (such as a class with a single
    row, which was left out when the task was found), are left out.

    Parameters
    ----------
    values : pyarrow array
        The target of each row.
    texts : pyarrow array, optional
        For labels of words the canonical texts: rows of another number of words than labels are left out too.

    Raises
    ------
    InputError
        If no row is left.
    """
    array = flat(values)
    rows = np.flatnonzero(~missing_target(array))
    if task.classifies and len(rows):
        known = {spelling(label) for label in task.classes}
        coded = array.take(pa.array(rows)).dictionary_encode()
        fits = np.array([spelling(label) in known for label in coded.dictionary.to_pylist()])
        rows = rows[fits[coded.indices.to_numpy(zero_copy_only=False)]]
    elif task.classes and len(rows):
        rows = rows[known_lists(task, array.take(pa.array(rows)))]
    if task.kind == "tokens" and texts is not None and len(rows):
        chosen = pa.array(rows)
        found = counts(flat(texts).take(chosen), WORDS)
        rows = rows[found == lengths(task.target, array.take(chosen))]
    if not len(rows):
        raise InputError(
            f"no row has a target {task.target!r} that can be used",
            seen=f"{len(array):,} rows, such as {array[0].as_py()!r}" if len(array) else "no rows",
            remedy=f"Known labels: {', '.join(map(str, task.classes[:12]))}."
            if task.classes
            else "Give rows with numbers.",
        )
    return rows, encode_target(task, array.take(pa.array(rows)))


def missing_target(values: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return where a target is missing (null, NaN, empty text), shape (n,), bool."""
    array = flat(values)
    absent = pc.is_null(array, nan_is_null=True)
    if pa.types.is_string(plain_type(array.type)):
        absent = pc.or_(absent, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(array), ""), True))
    return np.asarray(absent.to_numpy(zero_copy_only=False), dtype=bool)


def _codes(task: Task, array: pa.Array) -> np.ndarray:
    coded = array.dictionary_encode()
    known = {spelling(label): code for code, label in enumerate(task.classes)}
    table = np.array([known.get(spelling(label), -1) for label in coded.dictionary.to_pylist()], dtype=np.int64)
    codes: np.ndarray = table[coded.indices.to_numpy(zero_copy_only=False)]
    unknown = codes < 0
    if unknown.any():
        row = int(unknown.argmax())
        raise InputError(
            f"the target {task.target!r} has a label that the model does not know",
            seen=f"{array[row].as_py()!r} in row {row + 1} ({int(unknown.sum()):,} such rows)",
            remedy=f"Known labels: {', '.join(map(str, task.classes[:12]))}. Leave such rows out, or fit again.",
        )
    return codes


def _numbers(task: Task, array: pa.Array) -> np.ndarray:
    numbers = target_numbers(task.target, array)
    if not np.isfinite(numbers).all():
        row = int((~np.isfinite(numbers)).argmax())
        raise InputError(
            f"the target {task.target!r} holds infinities",
            seen=f"row {row + 1}: {array[row].as_py()}",
            remedy="Leave those rows out or correct them.",
        )
    return numbers


def target_numbers(name: str, array: pa.Array) -> np.ndarray:
    """Return a target as float64, NaN where missing; raise `InputError` where it is no number."""
    if pa.types.is_string(plain_type(array.type)):
        numbers, bad = to_numbers(array)
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"the target {name!r} holds text that is no number",
                seen=f"{array[row].as_py()!r} in row {row + 1}",
                remedy="Correct it, or ask for classes: --task multiclass (task='multiclass' in Python).",
            )
        return numbers
    if kind_of_type(array.type) not in {"number", "boolean"}:
        raise InputError(
            f"the target {name!r} holds no numbers",
            seen=str(array.type),
            remedy="Turn it into numbers or classes first.",
        )
    return np.asarray(array.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False), dtype=np.float64)
