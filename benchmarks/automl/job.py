"""What a runner is told: one JSON file, readable from every interpreter (standard library only)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One system on one data set. ``budget`` is in seconds; ``folder`` receives model, predictions, notes."""

    folder: str
    train: str
    test: str
    target: str
    kind: Kind
    metric: str
    budget: int
    cores: int
    seed: int
    preset: str

    @property
    def model(self) -> Path:
        """Where the fitted model is saved: all that is under here counts as its size."""
        return Path(self.folder) / "model"

    @property
    def predictions(self) -> Path:
        """Parquet: ``prediction`` and, for classes, ``probability_<class>``; one row a test row, in order."""
        return Path(self.folder) / "predictions.parquet"

    def write(self) -> Path:
        """Store the job in its folder and return the file."""
        file = Path(self.folder) / "job.json"
        file.write_text(json.dumps(asdict(self), indent=2))
        return file

    def note(self, name: str, facts: dict[str, Any]) -> None:
        """Store what a runner found out, as ``NAME.json`` in the job's folder."""
        (Path(self.folder) / f"{name}.json").write_text(json.dumps(facts, indent=2, default=str))

    def noted(self, name: str) -> dict[str, Any]:
        """Read what a runner noted."""
        facts: dict[str, Any] = json.loads((Path(self.folder) / f"{name}.json").read_text())
        return facts


def read_job(file: str) -> Job:
    """Read a job that ``Job.write`` stored."""
    return Job(**json.loads(Path(file).read_text()))
