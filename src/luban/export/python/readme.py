"""The README of the folder that predicts with onnxruntime and numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.export.onnx.readme import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWERS = {
    "multilabel": '`{"prediction": [labels], "probabilities": {label: share}}`',
    "tokens": '`{"prediction": [a label a word], "probability": [of each]}`',
    "matching": '`{"prediction": answer or null, "score": share, "alternatives": [{"answer", "score"}]}`',
    "regression": '`{"prediction": number}`',
    "quantile": '`{"prediction": the one nearest to the median, "quantiles": {level: number}}`',
}
_PLAIN = '`{"prediction": label, "probabilities": {label: share}}`'


def readme(described: Mapping[str, Any]) -> str:
    """Return what people read first."""
    task, parity = described["task"], described["parity"]
    lines = [
        f"# {quoted(described['model'])}: {quoted(task['target'])} from rows",
        "",
        "This folder predicts without Luban. Python 3.11 or later:",
        "",
        "    python -m venv venv && venv/bin/pip install -r requirements.txt",
        "    venv/bin/python predict.py rows.csv          # or rows.json; prints JSON",
        "",
        "```python",
        "from predict import Model",
        "",
        "model = Model()",
        "model.predict([{...}])  # a dict a row, values by column name",
        "```",
        "",
        f"An answer a row: {_ANSWERS.get(task['kind'], _PLAIN)}.",
        "",
        "| column | kind | missing |",
        "|---|---|---|",
        *(f"| {quoted(one['column'])} | {one['kind']} | `None` or empty |" for one in described["inputs"]),
        "",
        *_rules(),
        *_files(described),
    ]
    if parity:
        least = f"On {parity['rows']} real rows its predictions differ from the original model's by at most"
        lines += [f"{least} {parity['difference']:.2g}.", ""]
    return "\n".join(lines)


def _rules() -> list[str]:
    return [
        "Columns are found by name: their order does not matter, and others are left out. A column that is in no row",
        "is an error; with `missing='fill'` (`--fill`) it is missing in every row. Numbers may be text, also `1,5` and",
        "`1,234.5`; booleans may be yes, no, 1, 0; dates are ISO 8601, or as they were when the model learnt. A",
        "category that was never seen is no error. What cannot be read is one, which names the column and the value.",
        "",
    ]


def _files(described: Mapping[str, Any]) -> list[str]:
    """Return what must be known of pictures, sounds and tokens."""
    if not described["preparations"]:
        return []
    return [
        "Before the graph columns are made into tensors by the programs `prepare.py` in the folders beside it.",
        "Pictures and sounds are paths, bytes, data URIs or base64; `Model(paths=False)` takes no paths, for rows of",
        "strangers.",
        "",
    ]
