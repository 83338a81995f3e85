"""Feedback: what turned out to be true of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.task import Task
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class FedBack:
    """Labels that are stored."""

    deployment: str
    labels: int


@operation(permission="feedback:write", about=("name",), existing=True)
def feedback(
    workspace: Workspace,
    name: str,
    data: Any,
    *,
    request_id: str = "request_id",
    label: str = "label",
    row: str = "row",
) -> FedBack:
    """Store the labels of predictions, which met by request id; sending them again changes nothing, the last counts.

    Parameters
    ----------
    name
        The deployment that predicted.
    data
        A file, a data set of the workspace, or rows: a request id and a label in each, and the row's place in its
        request where that had several.
    request_id
        The column of the request ids, which the answers carried in the header `x-request-id`.
    label
        The column of the labels: classes or numbers, as the model predicts them.
    row
        The column of the rows' places in their requests, from 0; without one all are 0.
    """
    from luban.operations.reading import read_table

    table = read_table(workspace, data)
    for column in (request_id, label):
        if column not in table.column_names:
            raise NotFound.named("column", column, table.column_names)
    champion = workspace.models.get(workspace.deployments.get(name).champion)
    ids = table[request_id].cast("string")
    rows = whole_numbers(table[row], row) if row in table.column_names else None
    stored = workspace.labels.add(name, ids, rows, labels_of(champion.task, table[label], label))
    return FedBack(deployment=name, labels=stored)


def labels_of(task: Task, values: pa.ChunkedArray, column: str) -> pa.Array:
    """Return labels as the model predicts them.

    Raises
    ------
    InputError
        Naming the row of the first that is missing, or is no class or number.
    """
    import pyarrow as pa

    from luban.data.numbers import parse_number
    from luban.learners.predictions import label_text, labels

    given = values.to_pylist()
    if None in given:
        raise InputError(f"the column {column!r} holds a missing label", seen=f"row {given.index(None) + 1}")
    if task.kind in ("multilabel", "tokens"):
        return values.cast(pa.list_(pa.string())).combine_chunks()
    if not task.classifies:
        numbers = [one if isinstance(one, int | float) else parse_number(str(one), "") for one in given]
        if None in numbers:
            place = numbers.index(None)
            raise InputError(
                f"the column {column!r} holds a label that is no number", seen=f"{given[place]!r} in row {place + 1}"
            )
        return pa.array(numbers, pa.float64())
    classes = labels(task)
    by_text = dict(zip(map(label_text, task.classes), classes.to_pylist(), strict=True))
    found = []
    for place, one in enumerate(given):
        text = label_text(int(one) if isinstance(one, float) and one.is_integer() else one)
        if text not in by_text and label_text(one) not in by_text:
            raise InputError(
                f"the column {column!r} holds a label that is no class of the model",
                seen=f"{one!r} in row {place + 1}; the classes are {', '.join(list(by_text)[:12])}",
            )
        found.append(by_text.get(text, by_text.get(label_text(one))))
    return pa.array(found, classes.type)


def whole_numbers(values: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    """Return places of rows as whole numbers, or raise `InputError`."""
    import pyarrow as pa

    try:
        return values.cast(pa.int32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"the column {column!r} holds what is no place of a row", seen=str(error)[:120]) from None
