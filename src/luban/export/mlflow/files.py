"""The files of MLflow's model folder: ``MLmodel`` with the signature, and the environment in its three forms.

Source: https://mlflow.org/docs/latest/ml/model/ (the storage format) and mlflow/pyfunc/__init__.py (the flavour
python_function: a loader in ``code``, called with ``data``). Nothing is pickled.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

LOADER = "luban_pyfunc"
LEAST = "mlflow>=3,<4"
"""What is required where no version of MLflow is installed that could be pinned."""
ANY = "any"
"""The type of every column: MLflow would refuse whole numbers for its ``double`` and texts for its ``datetime`` before
the program, which reads both, sees them. What a column holds stands in the metadata."""


def model_files(described: Mapping[str, Any], requirements: str) -> dict[str, bytes]:
    """Return the files at the top of the folder.

    Parameters
    ----------
    described : mapping
        What ``signature.json`` says.
    requirements : str
        The lines of ``requirements.txt`` without MLflow's own.
    """
    lines = f"{_mlflow()}\n{requirements}"
    python = platform.python_version()
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": lines.split()}],
    }
    return {
        "MLmodel": _yaml(_mlmodel(described, python)),
        "requirements.txt": lines.encode(),
        "python_env.yaml": _yaml(environment),
        "conda.yaml": _yaml(conda),
    }


def _mlmodel(described: Mapping[str, Any], python: str) -> dict[str, Any]:
    flavour = {
        "loader_module": LOADER,
        "code": "code",
        "data": "data",
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "python_version": python,
        "streamable": False,
    }
    inputs = [{"type": ANY, "name": one["column"], "required": False} for one in described["inputs"]]
    params = [
        {"name": "predict_method", "default": "predict", "shape": None, "type": "string"},
        {"name": "missing", "default": "error", "shape": None, "type": "string"},
    ]
    signature = {"inputs": json.dumps(inputs), "outputs": None, "params": json.dumps(params)}
    metadata = {
        "luban_model": described["model"],
        "luban_task": described["task"]["kind"],
        "luban_kinds": {one["column"]: one["kind"] for one in described["inputs"]},
    }
    return {"flavors": {"python_function": flavour}, "signature": signature, "metadata": metadata}


def _mlflow() -> str:
    for name in ("mlflow", "mlflow-skinny"):
        try:
            return f"mlflow=={version(name)}"
        except PackageNotFoundError:
            continue
    return LEAST


def _yaml(content: Any) -> bytes:
    return bytes(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
