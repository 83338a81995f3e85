"""A training in a process of its own, to be killed: ``python foundation_training.py FOLDER OUTPUT WAY PAUSE``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from foundation_rows import backbone, problem

from luban.core.budget import Effort
from luban.foundation.adapt import adapt
from luban.foundation.training import loop
from luban.foundation.way import Applied


def main(folder: str, output: str, way: str, pause: float) -> None:
    """Train for a fixed number of steps, with a checkpoint after each, and write what was learnt."""
    loop._CHECKPOINT_SECONDS, loop._CHECKPOINT_SHARE = 0.0, 1e9
    stepped = Applied.stepped

    def slowly(self: Applied, progress: float) -> None:
        stepped(self, progress)
        print("step", flush=True)
        time.sleep(pause)

    Applied.stepped = slowly  # type: ignore[method-assign]
    task, training = problem("text", "multiclass", 60)
    _, held = problem("text", "multiclass", 20, seed=7)
    result = adapt(
        backbone("text"),
        way,
        task,
        task.inputs,
        training,
        held,
        parameters={"epochs": 3.0, "batch": 8, "precision": "float32", "learning_rate": 2e-3, "patience": 50},
        effort=Effort(seed=3, checkpoint=folder),
    )
    Path(output).write_bytes(
        dict(result.save())["changed.safetensors"] + dict(result.save())["backbone/weights.safetensors"]
    )
    Path(output + ".steps").write_text(",".join(f"{one.step}:{one.training!r}" for one in result.history))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
