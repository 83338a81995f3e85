"""Models of MLflow's as the workspace keeps them: files by digest, which Luban lists and gives back but never loads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.store import Blobs
    from luban.store.artifacts import Artifact

PROTOCOL = 1
TAG = "tag:"
"""Notes beside a model or a version that begin so are MLflow's tags."""

DESCRIPTION, STAGE, MADE = "description", "stage", "made"
SOURCE, MODEL_ID, LINK = "mlflow.source", "mlflow.model_id", "mlflow.run_link"
PROMPT = "mlflow.prompt.is_prompt"
_LARGEST = 4 << 20
_KINDS = {
    "double": "number",
    "float": "number",
    "integer": "number",
    "long": "number",
    "boolean": "boolean",
    "datetime": "date",
    "string": "text",
}


def manifest(files: Sequence[Artifact], source: str) -> dict[str, Any]:
    """Return what is stored of a foreign model: its files by path, each with digest and size."""
    return {
        "protocol": PROTOCOL,
        "foreign": "mlflow",
        "source": source,
        "files": {one.path: {"digest": one.digest, "size": one.bytes} for one in files},
    }


def task(signature: Signature) -> Task:
    """Return the task of a foreign model: of what it is asked to do nothing is known."""
    return Task(kind="foreign", target="", inputs=tuple(one.name for one in signature.inputs), metric="")


def signature(blobs: Blobs, files: Sequence[Artifact]) -> Signature:
    """Return the columns that the file MLmodel tells of, as far as they are plain ones."""
    import yaml

    for one in files:
        if one.path == "MLmodel" and one.bytes <= _LARGEST:
            try:
                told = yaml.safe_load(blobs.get(one.digest))
            except yaml.YAMLError:  # the files are kept as they came; only what they mean is not known
                return Signature(inputs=(), outputs=())
            described = told.get("signature") if isinstance(told, dict) else None
            if isinstance(described, dict):
                return Signature(inputs=_columns(described.get("inputs")), outputs=_columns(described.get("outputs")))
    return Signature(inputs=(), outputs=())


def _columns(told: Any) -> tuple[Column, ...]:
    try:
        listed = json.loads(told) if isinstance(told, str) else []
    except ValueError:
        return ()
    found = []
    for one in listed if isinstance(listed, list) else []:
        kind = _KINDS.get(one.get("type", "")) if isinstance(one, dict) else None
        if kind is not None and isinstance(one.get("name"), str):
            found.append(Column(name=one["name"], kind=kind, nullable=not one.get("required", True)))  # type: ignore[arg-type]
    return tuple(found)
