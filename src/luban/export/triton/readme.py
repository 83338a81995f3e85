"""The README beside a model repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.export.onnx.readme import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping


def readme(described: Mapping[str, Any], name: str) -> str:
    """Return what people read first."""
    lines = [
        f"# {quoted(described['model'])} for Triton",
        "",
        "    tritonserver --model-repository=$PWD/model_repository",
        "    pip install -r client/requirements.txt",
        "    python client/ask.py http://127.0.0.1:8000 rows.json",
        "",
        f"The server knows the model as `{name}`. It runs the whole graph with its backend `onnxruntime`: columns in,",
        "probabilities and labels out. Columns of words are TYPE_STRING, numbers TYPE_FP32, dates TYPE_INT64",
        "(microseconds since 1970), each of shape (rows, 1). Requests that wait are computed together.",
        "",
        "Triton checks types and shapes; what rows may hold (numbers as text, missing columns, new categories) is read",
        "by the client, with the rules of `luban serve`: `ask.Asked(url).predict([{column: value, ...}])`.",
        "",
    ]
    if described["preparations"]:
        lines += [
            "Texts, pictures or sounds are made into tensors by the client too (`client/*/prepare.py`), and the server",
            "takes the tensors.",
            "",
        ]
    return "\n".join(lines)
