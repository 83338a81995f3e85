"""The files beside a graph: what goes in and comes out, in words, in JSON and as a program that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import Unavailable
from luban.core.preparation import Portable
from luban.core.serial import to_json
from luban.export.onnx.build import label_values
from luban.export.onnx.example import EXAMPLE
from luban.export.onnx.graph import IR_VERSION
from luban.export.onnx.members import names
from luban.export.onnx.readme import readme
from luban.learners.graph import metadata
from luban.learners.graph.columns import feeds, is_tensor, tensor_name, tensor_type

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.export.onnx.parity import Parity
    from luban.learners.graph.metadata import Prepared

PROGRAM = "prepare.py"
_TYPE_NAMES = {np.float32: "float32", np.int64: "int64", np.object_: "string"}
_MISSING = {np.float32: "NaN", np.int64: str(np.iinfo(np.int64).min), np.object_: '""'}


def write_package(folder: Path, fitted: Any, graph: bytes, measured: Parity | None, table: pa.Table | None) -> Path:
    """Write all files and return the path of the graph.

    Raises
    ------
    Unavailable
        If the folder cannot be written to.
    """
    described = describe(fitted, graph, measured, table)
    contents = {
        "model.onnx": graph,
        "signature.json": (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode(),
        "README.md": readme(described).encode(),
        "example.py": EXAMPLE.encode(),
    }
    for place, one in enumerate(prepared(graph)):
        contents |= {f"{_folder(place, one)}/{name}": content for name, content in one.preparation.save().items()}
        if isinstance(one.preparation, Portable):
            contents[f"{_folder(place, one)}/{PROGRAM}"] = one.preparation.program().source.encode()
    try:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        raise Unavailable(f"the export cannot be written to {folder}", seen=str(error)) from error
    return folder / "model.onnx"


def describe(fitted: Any, graph: bytes, measured: Parity | None, table: pa.Table | None) -> dict[str, Any]:
    """Return what `signature.json` holds."""
    task: Task = fitted.task
    model = onnx.load_from_string(graph)
    tensors = {one.name for one in model.graph.input}
    return {
        "task": to_json(task),
        "inputs": [_describe_input(column, tensors) for column in fitted.signature.inputs],
        "preparations": [_describe_preparation(place, one) for place, one in enumerate(prepared(graph))],
        "outputs": _describe_outputs(task),
        "classes": to_json(task.classes),
        "threshold": getattr(fitted.model, "threshold", None),
        "members": list(names(fitted)),
        "opsets": {one.domain or "ai.onnx": one.version for one in model.opset_import},
        "ir_version": IR_VERSION,
        "parity": None if measured is None else to_json(measured),
        "example": None if table is None else _typical_row(table, fitted.signature.inputs),
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


def _describe_input(column: Column, tensors: set[str]) -> dict[str, Any]:
    if tensor_name(column.name) not in tensors:  # it is read through preparations alone
        return {"column": column.name, "kind": column.kind, "tensor": None}
    kind = tensor_type(column)
    return {
        "column": column.name,
        "kind": column.kind,
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
        elif column.kind == "text":
            row[column.name] = ""
        else:
            counted = pc.value_counts(pa.array(values[:, 0], type=pa.string())).to_pylist()
            row[column.name] = max(counted, key=lambda one: (one["counts"], one["values"]))["values"]
    return row
