"""What MLflow asks of a model (its flavour python_function), answered by the program in the folder of its data.

MLflow imports this file from the folder ``code`` and calls `_load_pyfunc` with the folder ``data``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

METHODS = ("predict", "predict_proba")


class Predictor:
    """The model as MLflow calls it: rows as a data frame, a dict of columns or a list of dicts."""

    def __init__(self, folder: Path) -> None:
        path = folder / "predict.py"
        spec = importlib.util.spec_from_file_location("luban_predict", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no program")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        # The rows of a scoring server are those of strangers: pictures and sounds come as content, never as a path.
        self.model = module.Model(folder, paths=False)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return labels or numbers, one a row; with ``predict_method="predict_proba"`` probabilities of the classes.

        ``missing="fill"`` among `params` takes columns that are not there as missing.
        """
        given = {"predict_method": "predict", "missing": "error"} | (params or {})
        method, rows = given["predict_method"], rows_of(model_input)
        classes = self.model.task["classes"]
        if method not in METHODS or (method == "predict_proba" and not classes):
            raise ValueError(
                f"predict_method must be one of {', '.join(METHODS[: 1 + bool(classes)])}; seen: {method!r}"
            )
        if method == "predict_proba":
            return self.model.values(rows, missing=given["missing"])
        labels = [one["prediction"] for one in self.model.predict(rows, missing=given["missing"])]
        plain = not any(isinstance(label, list) or label is None for label in labels)
        return np.array(labels) if plain else labels


def rows_of(given: Any) -> list[dict[str, Any]]:
    """Return rows as a list of dicts."""
    if hasattr(given, "to_dict"):
        return list(given.to_dict(orient="records"))
    if isinstance(given, dict):
        columns = {name: np.atleast_1d(np.asarray(values, dtype=object)).tolist() for name, values in given.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return list(given)


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
