"""The files beside a graph: what goes in and comes out, in words, in JSON and as a program that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import Unavailable
from luban.core.serial import to_json
from luban.export.onnx import contributed
from luban.export.onnx.build import label_values
from luban.export.onnx.graph import IR_VERSION
from luban.export.onnx.members import names
from luban.learners.graph.columns import feeds, tensor_name, tensor_type

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.export.onnx.parity import Parity

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
        "README.md": _readme(described).encode(),
        "example.py": EXAMPLE.encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            part = folder / f".{name}.part"
            part.write_bytes(content)
            part.replace(folder / name)
    except OSError as error:
        raise Unavailable(f"the export cannot be written to {folder}", seen=str(error)) from error
    return folder / "model.onnx"


def describe(fitted: Any, graph: bytes, measured: Parity | None, table: pa.Table | None) -> dict[str, Any]:
    """Return what `signature.json` holds."""
    task: Task = fitted.task
    return {
        "task": to_json(task),
        "inputs": [_describe_input(column) for column in fitted.signature.inputs],
        "outputs": _describe_outputs(task),
        "classes": to_json(task.classes),
        "threshold": getattr(fitted.model, "threshold", None),
        "members": list(names(fitted)),
        "opsets": {one.domain or "ai.onnx": one.version for one in onnx.load_from_string(graph).opset_import},
        "ir_version": IR_VERSION,
        "parity": None if measured is None else to_json(measured),
        "example": None if table is None else _typical_row(table, fitted.signature.inputs),
    }


def _describe_input(column: Column) -> dict[str, Any]:
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
    for column, values in zip(columns, feeds(table, columns).values(), strict=True):
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


def _readme(described: dict[str, Any]) -> str:
    task = described["task"]
    parts = ", ".join(described["members"]) or "the model"
    parity = described["parity"]
    lines = [
        f"# A model of `{task['target']}`",
        "",
        f"One ONNX graph ({task['kind']}) from raw columns to predictions:",
        f"preparation of the columns, {parts}, calibration and the choice of the label.",
        "",
        "    pip install onnxruntime numpy",
        "    python example.py                      # a typical row",
        "    python example.py rows.json            # a file with one row or a list: [{column: value, ...}, ...]",
        "",
        "| input tensor | kind | type | shape | missing |",
        "|---|---|---|---|---|",
        *(
            f"| `{one['tensor']}` | {one['kind']} | {one['type']} | (n, 1) | `{one['missing']}` |"
            for one in described["inputs"]
        ),
        "",
        'Booleans are the strings "true" and "false"; dates are microseconds since 1970-01-01.',
        "",
        "| output tensor | type | shape |",
        "|---|---|---|",
        *(f"| `{one['tensor']}` | {one['type']} | {_shape(one['shape'])} |" for one in described["outputs"]),
        "",
    ]
    if described["classes"]:
        lines += [f"Probabilities are in the order of the classes: {described['classes']}.", ""]
    if parity:
        text = f"On {parity['rows']} real rows its predictions differ from the original model's by at most"
        lines += [f"{text} {parity['difference']:.2g}.", ""]
    opsets = ", ".join(f"{domain} {version}" for domain, version in described["opsets"].items())
    lines += [f"Format: {opsets}, IR version {described['ir_version']}; ONNX Runtime 1.17 or newer reads it.", ""]
    if contributed.DOMAIN in described["opsets"]:
        lines += [f"It uses operators of {contributed.DOMAIN}, which ONNX Runtime has and other runtimes lack.", ""]
    return "\n".join(lines)


def _shape(sizes: list[int]) -> str:
    return f"({', '.join('n' if size < 0 else str(size) for size in sizes)})"


EXAMPLE = '''"""Predict with model.onnx; needs onnxruntime and numpy only.

    python example.py                 a typical row
    python example.py rows.json       a file with one row or a list: [{"column": value, ...}, ...]
"""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import onnxruntime

here = Path(__file__).parent
signature = json.loads((here / "signature.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(str(here / "model.onnx"), providers=["CPUExecutionProvider"])

MISSING = {"float32": float("nan"), "int64": np.iinfo(np.int64).min, "string": ""}
TYPES = {"float32": np.float32, "int64": np.int64, "string": object}


def value(given, column):
    if given is None:
        return MISSING[column["type"]]
    if column["kind"] == "boolean":
        return str(given).lower()
    if column["kind"] == "date" and isinstance(given, str):
        moment = datetime.fromisoformat(given)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return round(moment.timestamp() * 1_000_000)
    return str(given) if column["type"] == "string" else given


def check(rows):
    """Exit where the rows are no list of objects; tell of columns that the model does not know."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        sys.exit('The rows must be a list of objects: [{"column": value, ...}, ...]')
    known = [one["column"] for one in signature["inputs"]]
    unknown = sorted({name for row in rows for name in row} - {*known, signature["task"]["target"]})
    if unknown:
        absent = [name for name in known if any(name not in row for row in rows)]
        missing = f" Not given: {', '.join(absent)}." if absent else ""
        print(f"Not known and left out: {', '.join(unknown)}.{missing}", file=sys.stderr)


def predict(rows):
    feeds = {
        one["tensor"]: np.array([[value(row.get(one["column"]), one)] for row in rows], dtype=TYPES[one["type"]])
        for one in signature["inputs"]
    }
    names = [one["tensor"] for one in signature["outputs"]]
    return dict(zip(names, (found.tolist() for found in session.run(names, feeds))))


if __name__ == "__main__":
    given = Path(sys.argv[1]).read_text(encoding="utf-8-sig") if len(sys.argv) > 1 else None
    rows = [signature["example"] or {}] if given is None else json.loads(given)
    rows = [rows] if isinstance(rows, dict) else rows
    check(rows)
    sys.stdout.reconfigure(encoding="utf-8")
    print(json.dumps(predict(rows), indent=2, ensure_ascii=False))
'''
