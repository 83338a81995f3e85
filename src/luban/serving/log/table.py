"""From what was observed to the rows of the prediction log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.data.conform import conform
from luban.data.media.endings import KINDS
from luban.data.media.reference import content
from luban.data.media.value import reference
from luban.learners.predictions import column_names, label_text, labels
from luban.serving.answers import answered_rows
from luban.store.digests import digest_of
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.task import Task
    from luban.serving.observation import Observation


def log_table(seen: Sequence[Observation], contents: dict[str, bytes] | None = None) -> pa.Table:
    """Return rows for `luban.store.predictions.Predictions.append`.

    Parameters
    ----------
    seen : sequence of Observation
        All answered by the same arm, none without an answer.
    contents : dict of str to bytes, optional
        Gets the content of the pictures and sounds, by digest.

    Raises
    ------
    InputError
        If they cannot be read together, which says nothing of each alone.
    """
    runtime = seen[0].arm.runtime
    found: dict[str, list[Any]] = {name: [] for name in COLUMNS.names}
    for one in seen:
        count = one.length
        found["request_id"] += [one.request_id] * count
        found["row"] += range(count) if one.places is None else one.places
        found["moment"] += [one.moment] * count
        found["deployment"] += [one.arm.deployment.name if one.arm.deployment else ""] * count
        found["model"] += [one.arm.model] * count
        found["arm"] += [one.arm.name] * count
        found["latency_ms"] += [one.seconds * 1000] * count
        found["subject"] += [one.subject] * count
        found["consent"] += [one.consent] * count
    arrays = [pa.array(found[field.name], _given(field.type)).cast(field.type) for field in COLUMNS]
    inputs, outputs = _inputs(seen, contents), _outputs(runtime.task, seen)
    names = [
        *COLUMNS.names,
        *(f"input.{name}" for name in inputs.column_names),
        *(f"output.{name}" for name in outputs.column_names),
    ]
    return pa.Table.from_arrays([*arrays, *inputs.columns, *outputs.columns], names=names)


def _given(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind


def _inputs(seen: Sequence[Observation], contents: dict[str, bytes] | None) -> pa.Table:
    """Return the canonical values of all rows; pictures and sounds by the digest of their content."""
    columns = seen[0].arm.runtime.signature.inputs
    plain = [column for column in columns if column.kind not in KINDS]
    parts: list[pa.Table] = []
    waiting: list[Mapping[str, Any]] = []

    def settle() -> None:
        if waiting:
            parts.append(conform(_columns(waiting, [one.name for one in columns]), plain, missing="fill").table)
            waiting.clear()

    for one in seen:  # requests of one row are conformed together, which costs little more than one of them
        if isinstance(one.rows, pa.Table):
            settle()
            parts.append(conform(one.rows, plain, missing="fill").table)
        else:
            waiting.extend([one.rows] if isinstance(one.rows, Mapping) else one.rows)
    settle()
    table = pa.concat_tables(parts)  # without a row where there is no other column than pictures and sounds
    arrays: dict[str, pa.Array | pa.ChunkedArray] = {}
    for column in columns:
        if column.kind in KINDS:
            digests = [_digest(value, column.kind, contents) for one in seen for value in _values(one, column.name)]
            arrays[column.name] = pa.array(digests, pa.string())
        else:
            arrays[column.name] = table[column.name]
    return pa.table(arrays)


def _values(one: Observation, name: str) -> list[Any]:
    if isinstance(one.rows, pa.Table):
        return list(one.rows[name].to_pylist()) if name in one.rows.column_names else [None] * one.length
    return [row.get(name) for row in ([one.rows] if isinstance(one.rows, Mapping) else one.rows)]


def _digest(value: Any, kind: str, contents: dict[str, bytes] | None) -> str | None:
    """Return the digest of a picture's or sound's content, and note the content where it is to be kept."""
    found = reference(value, kind, paths=True)  # what was answered was allowed
    if found is None:
        return None
    whole = content(found)
    digest = digest_of(whole)
    if contents is not None:
        contents[digest] = whole
    return digest


def _columns(rows: list[Mapping[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in names} for row in rows]


def _outputs(task: Task, seen: Sequence[Observation]) -> pa.Table:
    if task.kind in ("multilabel", "tokens", "matching"):
        return _listed_outputs(task, seen)
    predictions: list[Any] = []
    wide: list[np.ndarray] = []
    key = "probabilities" if task.classifies else "quantiles"
    for one in seen:
        assert one.answer is not None
        if isinstance(one.answer, Mapping):
            predictions.append(one.answer["prediction"])
            if key in one.answer:
                wide.append(np.array([list(one.answer[key].values())]))
        else:
            predictions.extend(one.answer.outputs["prediction"].tolist())
            if key in one.answer.outputs:
                wide.append(one.answer.outputs[key])
    kind = labels(task).type if task.classifies else pa.float64()
    columns = [_typed(predictions, kind)]
    if wide:
        whole = np.concatenate(wide)
        columns += [pa.array(whole[:, place]) for place in range(whole.shape[1])]
    return pa.table(columns, names=list(column_names(task)))


def _listed_outputs(task: Task, seen: Sequence[Observation]) -> pa.Table:
    """Return the answers whose predictions are lists of labels, or may be none."""
    rows: list[Mapping[str, Any]] = []
    for one in seen:
        assert one.answer is not None
        rows.extend([one.answer] if isinstance(one.answer, Mapping) else answered_rows(task, one.answer))
    text = pa.string() if task.kind == "matching" else pa.list_(pa.string())
    columns = {"prediction": pa.array([_text(row["prediction"]) for row in rows], text)}
    if task.kind == "multilabel":
        for label in task.classes:
            columns[f"probability_{label_text(label)}"] = pa.array([row["probabilities"][label] for row in rows])
    elif task.kind == "tokens":
        columns["probability"] = pa.array([row["probability"] for row in rows], pa.list_(pa.float64()))
    else:
        columns["score"] = pa.array([row["score"] for row in rows], pa.float64())
        kind = pa.struct([("answer", pa.string()), ("score", pa.float64())])
        columns["alternatives"] = pa.array([row["alternatives"] for row in rows], pa.list_(kind))
    return pa.table(columns)


def _text(prediction: Any) -> Any:
    if isinstance(prediction, list):
        return [_text(one) for one in prediction]
    return None if prediction is None else label_text(prediction)


def _typed(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        values = [label_text(one) for one in values]
    return pa.array(values, kind)
