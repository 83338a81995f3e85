"""What every peer does with a row: the same ONNX file, one thread (no Luban here: peers have their own packages)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Callable


def answering() -> Callable[[dict[str, float]], dict[str, Any]]:
    """Return a function from a row to its label and probabilities; the file is that of the variable MODEL."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def answer(row: dict[str, float]) -> dict[str, Any]:
        feed = {name: np.array([[row[name]]], np.float32) for name in names}
        prediction, probabilities = session.run(["prediction", "probabilities"], feed)
        return {"prediction": prediction.tolist(), "probabilities": probabilities.tolist()}

    return answer
