"""Several processes that share each step of one training, by accelerate: one a GPU, or some on one machine.

The process that was asked starts its fellows, gives them the same work through a folder, and goes on as the first of
them; whoever launches the processes himself (``accelerate launch``, ``torchrun``) is obeyed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.budget import Effort
from luban.core.errors import InputError
from luban.core.protocols import Examples
from luban.core.serial import from_json
from luban.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from luban.foundation.backbone import Backbone

_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Job:
    """All that `adapt` is called with, but for who listens."""

    backbone: Backbone
    way: str
    task: Task
    columns: tuple[str, ...]
    training: Examples
    validation: Examples | None
    parameters: Mapping[str, Any]
    effort: Effort
    augmentation: Mapping[str, Any] | None


@contextmanager
def shared(job: Job, count: int | None) -> Iterator[None]:
    """Share the work with fellows while the block runs.

    Parameters
    ----------
    count : int, optional
        Of processes; one a GPU by default, and one where there is none.

    Raises
    ------
    InputError
        If there are GPUs, and fewer than processes: each of them needs its own.
    """
    import torch

    there = torch.cuda.device_count()
    if count is None:
        count = max(1, there)
    if there and count > there and "WORLD_SIZE" not in os.environ:
        raise InputError(
            "each process of a training needs a GPU of its own",
            seen=f"processes={count}, {there} GPU{'s' if there > 1 else ''}",
            remedy=f"Give processes={there} at most, or none; CUDA_VISIBLE_DEVICES= (empty) trains on the processors.",
        )
    if count == 1 or "WORLD_SIZE" in os.environ:
        yield
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="luban-fellows-")))
        _write(folder, job)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        for rank in range(1, count):
            stack.enter_context(_fellow(folder, {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}))
        stack.enter_context(_as_first({**common, "RANK": "0", "LOCAL_RANK": "0"}))
        yield


@contextmanager
def _fellow(folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Run another process of the training; it ends with the block, and with this process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "luban.foundation.training.processes", str(folder)],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


@contextmanager
def _as_first(variables: Mapping[str, str]) -> Iterator[None]:
    """Be the first of the processes while the block runs."""
    import torch
    from accelerate.state import AcceleratorState

    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(variables)
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _write(folder: Path, job: Job) -> None:
    (folder / "backbone").mkdir()
    for name, content in job.backbone.save().items():
        (folder / "backbone" / name).write_bytes(content)
    for name, examples in (("training", job.training), ("validation", job.validation)):
        if examples is not None:
            with (
                pa.OSFile(str(folder / f"{name}.arrow"), "wb") as file,
                pa.ipc.new_file(file, examples.table.schema) as out,
            ):
                out.write_table(examples.table)
            weight = np.ones(0) if examples.weight is None else examples.weight
            np.savez(folder / f"{name}.npz", allow_pickle=False, target=examples.target, weight=weight)
    description = {
        "way": job.way,
        "task": asdict(job.task),
        "columns": job.columns,
        "parameters": dict(job.parameters),
        "augmentation": job.augmentation,
        "effort": {**asdict(job.effort), "deadline": None if np.isinf(job.effort.deadline) else job.effort.deadline},
    }
    (folder / "job.json").write_text(json.dumps(description))


def _read(folder: Path) -> Job:
    from luban.foundation.backbone import load

    about = json.loads((folder / "job.json").read_text())
    effort = from_json(Effort, {name: one for name, one in about["effort"].items() if one is not None})
    return Job(
        backbone=load({one.name: one.read_bytes() for one in (folder / "backbone").iterdir()}),
        way=about["way"],
        task=from_json(Task, about["task"]),
        columns=tuple(about["columns"]),
        training=_examples(folder, "training"),
        validation=_examples(folder, "validation") if (folder / "validation.arrow").is_file() else None,
        parameters=about["parameters"],
        effort=replace(effort, checkpoint=effort.checkpoint),
        augmentation=about["augmentation"],
    )


def _examples(folder: Path, name: str) -> Examples:
    with pa.OSFile(str(folder / f"{name}.arrow"), "rb") as file:
        table = pa.ipc.open_file(file).read_all()
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        weight = arrays["weight"]
        return Examples(table=table, target=arrays["target"], weight=weight if len(weight) else None)


def main(folder: str) -> None:
    """Take part in the training that a folder describes, as one of its fellows."""
    from luban.foundation.adapt import adapt

    def end_with_the_first() -> None:
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    job = _read(Path(folder))
    threading.Thread(target=end_with_the_first, daemon=True).start()
    adapt(
        job.backbone,
        job.way,
        job.task,
        job.columns,
        job.training,
        job.validation,
        parameters=job.parameters,
        effort=job.effort,
        augmentation=job.augmentation,
    )


if __name__ == "__main__":
    main(sys.argv[1])
