"""What every comparison is given, and the row that it answers with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.foundation.failure import RunFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table: a figure of Luban's beside another's.

    Parameters
    ----------
    target : str
        What is asked of Luban's figure, in words.
    met : bool, optional
        None where nothing is asked.
    """

    what: str
    luban: float
    other: float | None = None
    beside: str = ""
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where data come from, where files go, and on how many cores.

    Parameters
    ----------
    data : Path
        Folder of the data sets.
    folder : Path
        Of this comparison alone; emptied before it begins.
    environments : Path
        Where peers are installed.
    scale : float
        All budgets are multiplied by it: below 1 only to try the command out.
    """

    data: Path
    folder: Path
    environments: Path
    cores: int
    scale: float = 1.0

    def fresh(self) -> None:
        """Empty the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def seconds(self, budget: float) -> float:
        """Return a budget, scaled."""
        return max(5.0, self.scale * budget)

    def luban(self, *arguments: object) -> dict[str, Any]:
        """Run a ``luban`` command in this comparison's workspace; return what it printed as JSON, with ``wall``."""
        place = {"LUBAN_WORKSPACE": str(self.folder / ".luban")}
        command = [str(Path(sys.executable).with_name("luban")), *map(str, arguments), "--json"]
        wall, printed = self._run(command, f"luban-{arguments[0]}", place)
        answer: dict[str, Any] = json.loads(printed)
        return {**answer, "wall": wall}

    def program(self, name: str, job: Mapping[str, Any], python: Path | None = None) -> dict[str, Any]:
        """Run a program of ``runners`` with a job and return what it found, with ``wall``."""
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps({**job, "threads": self.cores, "started": time.time()}))
        command = [str(python or sys.executable), "-m", f"benchmarks.foundation.runners.{name}", str(file)]
        wall, printed = self._run(command, name, {"PYTHONPATH": str(ROOT)})
        answer: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return {**answer, "wall": wall}

    def _run(self, command: list[str], name: str, more: Mapping[str, str]) -> tuple[float, str]:
        shared = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment = {**os.environ, **dict.fromkeys(THREADS, str(self.cores)), **shared, **more}
        log = self.folder / f"{name}.log"
        started = time.perf_counter()
        with log.open("a") as stream:
            done = subprocess.run(
                command, env=environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=stream, text=True, check=False
            )
        wall = time.perf_counter() - started
        if done.returncode != 0:
            last = " / ".join(log.read_text().splitlines()[-3:])
            raise RunFailed(f"{' '.join(command[:6])} ended with code {done.returncode}: {last}")
        return wall, done.stdout
