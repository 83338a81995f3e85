"""Programs that tests run as processes of their own: ``python store_writers.py WHAT FOLDER [NUMBER]``."""

from __future__ import annotations

import itertools
import os
import sys

from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.task import Task
from luban.store import Blobs, Workspace

TASK = Task(kind="regression", target="y", inputs=("x",), metric="rmse")
SIGNATURE = Signature(inputs=(Column(name="x", kind="number"),), outputs=())
BATCH = 500
BLOB = 4 << 20


def blobs(folder: str) -> None:
    """Write large blobs, each named on stdout when it is on the disk, until killed."""
    place = Blobs(folder)
    for number in itertools.count():
        print(place.put(os.urandom(16) * (BLOB // 16)), number, flush=True)


def rows(folder: str) -> None:
    """Register models and write batches of metrics, each named on stdout when it is on the disk, until killed."""
    with Workspace.open(folder) as workspace:
        artifact = workspace.blobs.put(b"model")
        run = workspace.runs.start("write", {})
        print("run", run.id, flush=True)
        for number in itertools.count():
            workspace.runs.log_many(run.id, [("loss", number, float(index)) for index in range(BATCH)])
            model = workspace.models.register(name="m", artifact=artifact, signature=SIGNATURE, task=TASK, run=run.id)
            workspace.models.set_alias("m", "champion", model.version)
            print("model", model.version, flush=True)


def crowd(folder: str, count: str) -> None:
    """Write a fixed number of everything, beside other processes that do the same."""
    with Workspace.open(folder, actor=f"process {os.getpid()}") as workspace:
        artifact = workspace.blobs.put(b"model")
        parent = workspace.runs.start("parent", {})
        for number in range(int(count)):
            run = workspace.runs.start("child", {}, parent=parent.id)
            workspace.runs.log(run.id, {"loss": float(number)})
            workspace.runs.log_many(run.id, [("many", step, 1.0) for step in range(50)])
            workspace.runs.finish(run.id, "finished", scores={"score": float(number)})
            model = workspace.models.register(name="m", artifact=artifact, signature=SIGNATURE, task=TASK, run=run.id)
            workspace.models.set_alias("m", "champion", model.version)
            workspace.audit.append("test", "process", {"number": number})


def leaves(folder: str) -> None:
    """Log values and leave without closing."""
    workspace = Workspace.open(folder)
    run = workspace.runs.start("leaves", {})
    for step in range(100):
        workspace.runs.log(run.id, {"loss": float(step)}, step=step)


def forks(folder: str) -> None:
    """Log values on both sides of a fork."""
    workspace = Workspace.open(folder)
    run = workspace.runs.start("forks", {})
    workspace.runs.log(run.id, {"parent": 1.0})
    child = os.fork()
    workspace.runs.log(run.id, {"child" if child == 0 else "parent": 2.0}, step=1)
    workspace.close()
    if child == 0:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def modules(folder: str) -> None:
    """Open a workspace and print which of the slow packages that took."""
    Workspace.open(folder).close()
    slow = ("alembic", "fsspec", "sqlalchemy.dialects.postgresql", "pandas", "pyarrow", "numpy")
    print(*[name for name in slow if name in sys.modules])


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    {"blobs": blobs, "rows": rows, "crowd": crowd, "leaves": leaves, "forks": forks, "modules": modules}[what](
        *arguments
    )
