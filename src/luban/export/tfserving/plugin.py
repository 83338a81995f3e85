"""The exporter, where TensorFlow is installed: it is looked for without importing it, which takes seconds."""

from __future__ import annotations

from importlib.util import find_spec

from luban.export.tfserving.exporter import TensorFlowServingExporter

__all__ = ["TensorFlowServingExporter"]

if find_spec("tensorflow") is None:
    raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
