"""What every exporter of runs must do."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from luban.core.run import Run
from luban.core.run_record import RunExporter, RunRecord

if TYPE_CHECKING:
    from pathlib import Path

_BEGAN = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def check_run_exporter(exporter: RunExporter, folder: Path) -> dict[str, Any]:
    """Raise `AssertionError` unless an exporter writes a run with a part, and return what it said.

    The run has a value that is no number, two values at one step, a step below zero, parameters of all kinds, a file,
    and a part that still runs and has logged nothing.

    Parameters
    ----------
    folder : Path
        Empty; it is written to.
    """
    assert isinstance(exporter, RunExporter), "an exporter of runs has the method export"
    kept = folder / "kept.txt"
    kept.write_text("kept")
    target = folder / "out"
    request = {"rate": 0.1, "deep": True, "kind": "tree", "layers": [1, 2], "nothing": None, "inner": {"a": 1}}
    values = [(-1, 2.0), (0, 1.0), (0, 0.5), (7, math.nan)]
    history = [(step, value, _BEGAN + timedelta(seconds=turn)) for turn, (step, value) in enumerate(values)]
    part = Run(id="part", operation="track", request={}, state="running", started=_BEGAN, parent="whole")
    whole = Run(
        id="whole",
        operation="track",
        request=request,
        state="failed",
        started=_BEGAN,
        ended=_BEGAN + timedelta(minutes=1),
        scores={"val/loss": math.nan},
        name="a run: ü / #1",
    )
    record = RunRecord(
        run=whole,
        experiment="an experiment: ü / #1",
        history={"val/loss": history},
        tags={"team": "ada", "more": {"a": 1}},
        files=("deep/kept.txt",),
        local=lambda _path: kept,
        parts=(RunRecord(run=part, experiment="", history={}, local=lambda _path: kept),),
    )
    said = dict(exporter.export(record, str(target)))
    assert any(path.is_file() for path in target.rglob("*")), "nothing was written"
    outside = {path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(target)}
    assert outside == {kept}, f"written outside of the folder: {outside - {kept}}"
    assert kept.read_text() == "kept", "what the run keeps was changed"
    assert isinstance(said.get("path"), str), "an exporter says where it wrote: path"
    return said
