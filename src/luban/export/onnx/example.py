"""The program beside a graph: it runs with onnxruntime and numpy, and what preparations need."""

EXAMPLE = '''"""Predict with model.onnx; README.md names the packages that it needs.

    python example.py                 a typical row
    python example.py rows.json       a file with one row or a list: [{"column": value, ...}, ...]
"""

import importlib.util
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


def program(one):
    """Return the program that makes tensors of columns before the graph."""
    if not one["program"]:
        sys.exit(f"{', '.join(one['columns'])}: only Luban can prepare them (pip install luban).")
    path = here / one["folder"] / "prepare.py"
    spec = importlib.util.spec_from_file_location(f"prepare_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


programs = [(one, program(one)) for one in signature["preparations"]]


def predict(rows):
    feeds = {
        one["tensor"]: np.array([[value(row.get(one["column"]), one)] for row in rows], dtype=TYPES[one["type"]])
        for one in signature["inputs"]
        if one["tensor"] is not None
    }
    for one, prepared in programs:
        made = prepared.prepare(rows, here / one["folder"])
        feeds.update({tensor["input"]: made[name] for name, tensor in one["tensors"].items()})
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
