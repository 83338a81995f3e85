"""The files beside a graph: what goes in and comes out, in words, in JSON and as a program that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.kinds import MEANINGS
from luban.core.preparation import Portable
from luban.core.serial import to_json
from luban.export.onnx.graph import IR_VERSION
from luban.export.onnx.members import names
from luban.learners.graph import metadata
from luban.learners.graph.columns import feeds, is_tensor, tensor_name, tensor_type
from luban.learners.predictions import label_values

if TYPE_CHECKING:
    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.export.onnx.made import Made
    from luban.learners.graph.metadata import Prepared

PROGRAM = "prepare.py"
_TYPE_NAMES = {np.float32: "float32", np.int64: "int64", np.object_: "string"}
_MISSING = {np.float32: "NaN", np.int64: str(np.iinfo(np.int64).min), np.object_: '""'}


def parts(made: Made, described: dict[str, Any]) -> dict[str, bytes]:
    """Return the graph, what describes it, and a folder for each preparation, by path."""
    contents = {
        "model.onnx": made.graph,
        "signature.json": (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode(),
    }
    for place, one in enumerate(prepared(made.graph)):
        contents |= {f"{_folder(place, one)}/{name}": content for name, content in one.preparation.save().items()}
        if isinstance(one.preparation, Portable):
            contents[f"{_folder(place, one)}/{PROGRAM}"] = one.preparation.program().source.encode()
    return contents


def describe(made: Made, reference: str) -> dict[str, Any]:
    """Return what `signature.json` holds."""
    fitted, task = made.fitted, made.fitted.task
    model = onnx.load_from_string(made.graph)
    tensors = {one.name for one in model.graph.input}
    return {
        "model": reference,
        "task": to_json(task),
        "inputs": [_describe_input(column, tensors) for column in fitted.signature.inputs],
        "preparations": [_describe_preparation(place, one) for place, one in enumerate(prepared(made.graph))],
        "outputs": _describe_outputs(task),
        "classes": to_json(task.classes),
        "threshold": getattr(fitted.model, "threshold", None),
        "members": list(names(fitted)),
        "opsets": {one.domain or "ai.onnx": one.version for one in model.opset_import},
        "ir_version": IR_VERSION,
        "parity": None if made.parity is None else to_json(made.parity),
        "example": None if made.table is None else _typical_row(made.table, fitted.signature.inputs),
    }


def prepared(graph: bytes) -> tuple[Prepared, ...]:
    """Return the preparations that travel in a graph."""
    text = metadata.properties(onnx.load_from_string(graph)).get(metadata.KEY)
    return metadata.read(text) if text else ()


def _folder(place: int, one: Prepared) -> str:
    return f"{place}_{one.preparation.name}"


def _describe_preparation(place: int, one: Prepared) -> dict[str, Any]:
    program = one.preparation.program() if isinstance(one.preparation, Portable) else None
    return {
        "name": one.preparation.name,
        "columns": list(one.preparation.columns),
        "folder": _folder(place, one),
        "program": program is not None,
        "packages": ["luban"] if program is None else list(program.packages),
        "tensors": {
            name: {
                "input": one.inputs[name],
                "type": tensor.dtype,
                "shape": [-1, *(-1 if size is None else size for size in tensor.shape)],
            }
            for name, tensor in one.preparation.tensors.items()
        },
    }


def _described(column: Column) -> dict[str, Any]:
    """Return what a column holds; a file is content or a reference to it."""
    file = MEANINGS[column.kind].file
    return {"column": column.name, "kind": column.kind, "storage": column.storage, "file": file}


def _describe_input(column: Column, tensors: set[str]) -> dict[str, Any]:
    if tensor_name(column.name) not in tensors:  # it is read through preparations alone
        return {**_described(column), "tensor": None}
    kind = tensor_type(column)
    return {
        **_described(column),
        "tensor": tensor_name(column.name),
        "type": _TYPE_NAMES[kind],
        "shape": [-1, 1],
        "missing": _MISSING[kind],
    }


def _describe_outputs(task: Task) -> list[dict[str, Any]]:
    if not task.classes:
        found = [{"tensor": "prediction", "type": "float32", "shape": [-1]}]
        if task.quantiles:
            found.append({"tensor": "quantiles", "type": "float32", "shape": [-1, task.outputs]})
        return found
    labels = label_values(task)
    kind = "string" if labels.dtype == np.object_ else labels.dtype.name
    if task.kind == "multilabel":
        return [
            {"tensor": "prediction", "type": "bool", "shape": [-1, task.outputs]},
            {"tensor": "probabilities", "type": "float32", "shape": [-1, task.outputs]},
        ]
    if task.kind == "tokens":
        return [
            {"tensor": "prediction", "type": kind, "shape": [-1, -1]},
            {"tensor": "probabilities", "type": "float32", "shape": [-1, -1, task.outputs]},
        ]
    answered = [{"tensor": "answered", "type": "bool", "shape": [-1]}] if task.kind == "matching" else []
    return [
        *answered,
        {"tensor": "prediction", "type": kind, "shape": [-1]},
        {"tensor": "probabilities", "type": "float32", "shape": [-1, task.outputs]},
    ]


def _typical_row(table: pa.Table, columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return a row that shows the format and is nobody's: medians, commonest categories, no text."""
    row: dict[str, Any] = {}
    for column in columns:
        if not is_tensor(column):
            row[column.name] = None
            continue
        (values,) = feeds(table, [column]).values()
        if column.kind == "number":
            known = values[np.isfinite(values)]
            row[column.name] = float(np.median(known)) if known.size else None
        elif column.kind == "date":
            row[column.name] = int(np.median(values[:, 0]))
        elif MEANINGS[column.kind].prose:
            row[column.name] = ""
        else:
            counted = pc.value_counts(pa.array(values[:, 0], type=pa.string())).to_pylist()
            row[column.name] = max(counted, key=lambda one: (one["counts"], one["values"]))["values"]
    return row
