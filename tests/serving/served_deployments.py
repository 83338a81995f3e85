"""A server of deployments in a workspace, as a process of its own: ``python served_deployments.py WORKSPACE NAME...``.

With ``--workers N`` before the names, as several; ``LUBAN_TEST_RATE`` is the rate of one address.

The versions of the model ``small``: 1 and 2 are well and differ; 3 fails on about one row in twenty; 4 takes 0.3 s a
row more; 5 answers the opposite class; 6 is 1 in its Python form, which takes as long as 3.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import small_models as small
from luban.export.onnx.build import build
from luban.serving.access.gate import Rates
from luban.serving.deployed import Deployed
from luban.serving.runtime import Runtime
from luban.serving.server import serve
from luban.serving.workers.crew import Crew
from luban.serving.workers.place import place, tell
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
VERSIONS = 6


@dataclass(frozen=True, kw_only=True)
class Failing(small.ByHand):
    """Fails where the age ends in .05, .25, .45, .65 or .85."""

    def predict(self, rows: Any) -> Any:
        if any(round(age * 100) % 20 == 5 for age in rows["age"].to_pylist()):
            raise ZeroDivisionError("a defect")
        return super().predict(rows)


@dataclass(frozen=True, kw_only=True)
class Slower(small.ByHand):
    """Takes 0.3 s more, which is much on any machine."""

    def predict(self, rows: Any) -> Any:
        time.sleep(0.3)
        return super().predict(rows)


@dataclass(frozen=True, kw_only=True)
class Opposite(small.ByHand):
    """Answers the other class."""

    def predict(self, rows: Any) -> Any:
        return super().predict(rows)[:, ::-1]


def load(reference: str) -> Runtime:
    """Return the runtime of a version."""
    version = int(reference.partition("/")[2])
    task = small.BINARY
    members = {3: (Failing(task=task),), 4: (Slower(task=task),), 5: (Opposite(task=task),)}
    slope = small.ByHand(task=task, slope=0.06)
    fitted = small.fitted(task, *members.get(version, (slope,) if version == 2 else ()))
    graph = build(fitted) if version in (1, 2) else None
    if version == 2:
        fitted = small.fitted(task, slope)
    return Runtime.from_fitted(fitted, graph, name="small", version=version)


def register(workspace: Workspace) -> None:
    """Register the versions; their artifacts are nothing that is read."""
    fitted = small.fitted(small.BINARY)
    for version in range(VERSIONS):
        workspace.models.register(
            name="small",
            artifact=workspace.blobs.put(f"version {version}".encode()),
            signature=fitted.signature,
            task=fitted.task,
        )


@contextmanager
def deployment_server(workspace: Path, *names: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server of these names; gives the process and its URL, and kills what has not stopped."""
    with Path(os.devnull).open("w") as nowhere:
        process = subprocess.Popen(
            [sys.executable, str(__file__), str(workspace), *names],
            stdout=subprocess.PIPE,
            stderr=nowhere if "LUBAN_SHOW" not in os.environ else None,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}", **environment},
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), "the server did not start; LUBAN_SHOW=1 shows why"
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def main() -> None:
    """Serve until a signal comes."""
    root, *names = sys.argv[1:]
    if names[:1] == ["--workers"]:
        crew = Crew([sys.executable, __file__, root, *names[2:]], int(names[1]), "127.0.0.1", 0)
        crew.run(started=lambda url: print(url, flush=True))
        return
    mine = place()

    def started(url: str) -> None:
        print(url, flush=True) if mine is None else tell(ready=True)

    rates = Rates(address=float(os.environ["LUBAN_TEST_RATE"])) if "LUBAN_TEST_RATE" in os.environ else None
    with Workspace.open(root) as workspace, Deployed(workspace, names, load, place=mine) as deployed:
        serve(deployed.models, port=0, started=started, place=mine, rates=rates)


if __name__ == "__main__":
    main()
