"""The README beside a graph."""

from __future__ import annotations

from typing import Any

from luban.export.onnx import contributed


def readme(described: dict[str, Any]) -> str:
    """Return what people read first: how to run it, what goes in and what comes out."""
    task = described["task"]
    parts = ", ".join(described["members"]) or "the model"
    parity = described["parity"]
    packages = sorted({name for one in described["preparations"] for name in one["packages"]})
    lines = [
        f"# A model of {quoted(task['target'])}",
        "",
        f"One ONNX graph ({task['kind']}) from raw columns to predictions:",
        f"preparation of the columns, {parts}, calibration and the choice of the label.",
        "",
        f"    pip install {' '.join(['onnxruntime', 'numpy', *packages])}",
        "    python example.py                      # a typical row",
        "    python example.py rows.json            # a file with one row or a list: [{column: value, ...}, ...]",
        "",
        "| input tensor | kind | type | shape | missing |",
        "|---|---|---|---|---|",
        *(
            f"| {quoted(one['tensor'])} | {one['kind']} | {one['type']} | (n, 1) | `{one['missing']}` |"
            for one in described["inputs"]
            if one["tensor"] is not None
        ),
        "",
        *_preparations(described["preparations"]),
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


def quoted(name: str) -> str:
    """Return a name as code in Markdown, whatever it holds."""
    plain = "".join(one if one.isprintable() and one not in "`|" else " " for one in name)
    return f"`{plain}`"


def _shape(sizes: list[int]) -> str:
    return f"({', '.join('n' if size < 0 else str(size) for size in sizes)})"


def _preparations(preparations: list[dict[str, Any]]) -> list[str]:
    """Return what must be done to some columns before the graph, and which file does it."""
    if not preparations:
        return []
    lines = [
        "Before the graph some columns are made into tensors, which no graph can do. The settings and files for it are",
        "in folders beside it, each with a small program `prepare.py`; the same is in the metadata of `model.onnx`.",
        "",
        "| columns | tensors | made by |",
        "|---|---|---|",
    ]
    for one in preparations:
        tensors = ", ".join(f"`{name}` {kind['type']} {_shape(kind['shape'])}" for name, kind in one["tensors"].items())
        columns = ", ".join(quoted(name) for name in one["columns"])
        made = f"`{one['folder']}/prepare.py`" if one["program"] else f"Luban's preparation `{one['name']}` alone"
        lines.append(f"| {columns} | {tensors} | {made} |")
    return [*lines, "", "Pictures and sounds are given as paths or as data URIs.", ""]
