"""The README beside a SavedModel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.export.onnx.readme import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping


def readme(described: Mapping[str, Any], name: str) -> str:
    """Return what people read first."""
    lines = [
        f"# {quoted(described['model'])} for TensorFlow Serving",
        "",
        f"    tensorflow_model_server --rest_api_port=8501 --model_name={name} --model_base_path=$PWD/models/{name}",
        "    pip install -r client/requirements.txt",
        "    python client/ask.py http://127.0.0.1:8501 rows.json",
        "",
        "The SavedModel has the signature `serving_default`: a tensor a column in (words as strings, numbers as float,",
        "NaN where they are missing, dates as microseconds since 1970), probabilities and labels out.",
        "",
        "TensorFlow Serving checks types and shapes; what rows may hold (numbers as text, missing columns, new",
        "categories) is read by the client, with the rules of `luban serve`.",
        "",
    ]
    if described["preparations"]:
        lines += ["Texts are made into tensors by the client too (`client/*/prepare.py`).", ""]
    return "\n".join(lines)
