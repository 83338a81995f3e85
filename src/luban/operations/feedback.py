"""Feedback: what turned out to be true of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.model import Deployment
    from luban.core.task import Task
    from luban.store import Workspace


LOOKED = 50_000
"""So many of the newest rows of the prediction log are looked at, or one for each label: about what storing costs."""


@dataclass(frozen=True, kw_only=True)
class FedBack:
    """Labels that are stored.

    Parameters
    ----------
    labels : int
        How many were given.
    matched : int
        How many of them have met a prediction so far, of those that were looked at.
    note : str
        Why the others may not have, and how much of the log was looked at where it was not all.
    """

    deployment: str
    labels: int
    matched: int
    note: str = ""


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

    All are kept, and meet predictions that are logged later too; how many have met one so far is told.

    Parameters
    ----------
    name
        The deployment that predicted.
    data
        A file, a data set of the workspace, or rows: a request id and a label in each, and the row's place in its
        request where that had several.
    request_id
        The column of the request ids, which the answers carried in the header `x-request-id`, or which were sent.
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
    deployment = workspace.deployments.get(name)
    champion = workspace.models.get(deployment.champion)
    ids = table[request_id].cast("string")
    rows = whole_numbers(table[row], row) if row in table.column_names else None
    stored = workspace.labels.add(name, ids, rows, labels_of(champion.task, table[label], label))
    matched, looked = workspace.labels.met(name, ids, rows, newest=max(LOOKED, stored))
    note = ""
    if matched < stored:
        logged = workspace.predictions.count(name)
        note = _why(deployment, stored - matched, stored, looked, logged, request_id, row if rows is not None else None)
    return FedBack(deployment=name, labels=stored, matched=matched, note=note)


def _why(
    deployment: Deployment, alone: int, of: int, looked: int, logged: int, request_id: str, row: str | None
) -> str:
    """Return in words how many labels have met nothing so far, and why that may be."""
    where = (
        "a logged prediction" if looked >= logged else f"one of the newest {looked:,} of {logged:,} logged predictions"
    )
    causes = [f"the column {request_id!r} does not hold the ids of the answers (x-request-id)"]
    if row is not None:
        causes.append(f"the column {row!r} does not count the rows of a request from 0")
    causes.append("another deployment answered")
    if deployment.log < 1:
        causes.append(
            f"only {deployment.log:.3g} of the requests are logged (luban deploy {deployment.name} --log full)"
        )
    if looked < logged:
        causes.append("they are for older predictions")
    if deployment.keep is not None:
        causes.append(f"predictions are forgotten after {deployment.keep} days")
    causes.append("who asked refused to be logged")
    causes.append("the server has not written them yet, which takes about a second")
    return (
        f"{alone:,} of {of:,} labels have met no prediction so far: none is for {where} of {deployment.name!r}. "
        f"It may be that {'; or '.join(causes)}. They are kept and count as soon as their prediction is there."
    )


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
