"""The systems, and running one of them on one job: a process to fit, then a fresh process to predict and measure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.automl.environments import peer_python
from benchmarks.automl.failure import SystemFailed

if TYPE_CHECKING:
    from benchmarks.automl.job import Job

ROOT = Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


@dataclass(frozen=True, kw_only=True)
class System:
    """A row of the table: which runner, with which preset, in which peer's environment (none: this interpreter)."""

    runner: str
    preset: str = ""
    environment: str | None = None


SYSTEMS = {
    "luban": System(runner="with_luban"),
    "autogluon-medium": System(runner="with_autogluon", preset="medium_quality", environment="autogluon"),
    "autogluon-best": System(runner="with_autogluon", preset="best_quality", environment="autogluon"),
    "flaml": System(runner="with_flaml", environment="flaml"),
}


def _phase(system: System, python: Path, phase: str, job: Job, limit: float) -> float:
    """Run one phase and return its wall seconds; what it prints goes to ``PHASE.log`` in the job's folder."""
    log = Path(job.folder) / f"{phase}.log"
    module = f"benchmarks.automl.runners.{system.runner}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict.fromkeys(THREADS, str(job.cores))}
    started = time.perf_counter()
    with log.open("w") as stream:
        try:
            code = subprocess.run(
                [str(python), "-m", module, phase, str(Path(job.folder) / "job.json")],
                cwd=job.folder,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as late:
            raise SystemFailed(f"{phase} was stopped after {limit:.0f} s") from late
    if code != 0:
        raise SystemFailed(f"{phase} ended with code {code}: {' / '.join(log.read_text().splitlines()[-3:])}")
    return time.perf_counter() - started


def run_system(system: System, job: Job, environments: Path) -> dict[str, Any]:
    """Fit, save, load, predict and measure.

    Returns
    -------
    dict
        ``wall_seconds`` of the process that fitted (imports and saving included), and what the runner noted.

    Raises
    ------
    SystemFailed
        When its environment cannot be made, or a phase fails or takes longer than ten times the budget and ten minutes.
    """
    python = peer_python(system.environment, environments) if system.environment else Path(sys.executable)
    shutil.rmtree(job.folder, ignore_errors=True)
    Path(job.folder).mkdir(parents=True)
    job.write()
    limit = 10 * job.budget + 600
    wall = _phase(system, python, "fit", job, limit)
    _phase(system, python, "measure", job, limit)
    return {"wall_seconds": wall, **job.noted("fit"), **job.noted("measure")}
