"""A training in a process of its own, to be killed: ``foundation_training.py FOLDER OUTPUT WAY PAUSE PROCESSES``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from foundation_rows import backbone, problem

from luban.core.budget import Effort
from luban.foundation.adapt import adapt
from luban.foundation.training import loop


def learn(folder: str | None, output: str, way: str, processes: int = 1) -> None:
    """Train for a fixed number of steps and write what was learnt."""
    parameters = {"epochs": 3.0, "batch": 8, "precision": "float32", "learning_rate": 2e-3, "patience": 50}
    task, training = problem("text", "multiclass", 60)
    _, held = problem("text", "multiclass", 20, seed=7)
    result = adapt(
        backbone("text"),
        way,
        task,
        task.inputs,
        training,
        held,
        parameters={**parameters, "processes": processes},
        effort=Effort(seed=3, checkpoint=folder),
    )
    payloads = dict(result.save())
    Path(output).write_bytes(payloads["changed.safetensors"] + payloads["backbone/weights.safetensors"])
    Path(output + ".steps").write_text(",".join(f"{one.step}:{one.training!r}" for one in result.history))


def main(folder: str, output: str, way: str, pause: float, processes: int) -> None:
    """Train with a checkpoint after each step, slowly and telling of each step."""
    loop._CHECKPOINT_SECONDS, loop._CHECKPOINT_SHARE = 0.0, 1e9
    advance = loop.Loop._advance

    def slowly(self: loop.Loop, *given: Any) -> None:
        if self.step:
            print("step", flush=True)
            time.sleep(pause)
        advance(self, *given)

    loop.Loop._advance = slowly  # type: ignore[method-assign]
    learn(folder, output, way, processes)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
