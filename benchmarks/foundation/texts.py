"""Texts: fine-tuning beside transformers' Trainer, and seconds to the first model on frozen features."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from benchmarks.foundation import rows
from benchmarks.foundation.bench import Bench, Line
from benchmarks.foundation.failure import RunFailed
from benchmarks.foundation.scoring import accuracy, of_luban

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

BUDGET = 180.0
FIRST_SECONDS, FIRST_ROWS = 20.0, 2000
# The line of progress that tells of the first model, with the seconds since the call.
_STANDS = re.compile(r"\[ *([\d.]+) s\] search: [^\n]*(?: by [^\n]*|stands: )linear_probe")


def sst2(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Sentiment of sentences."""
    return _beside_trainer(bench, rows.sst2(bench.data), ("text",))


def ag_news(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Topics of news, title and text as a pair."""
    return _beside_trainer(bench, rows.ag_news(bench.data), ("title", "text"))


def _beside_trainer(
    bench: Bench, parts: Mapping[str, pd.DataFrame], columns: tuple[str, ...]
) -> tuple[list[Line], dict[str, Any]]:
    paths = rows.written(bench.folder, **parts)
    seconds = bench.seconds(BUDGET)
    truth = parts["test"]["label"].tolist()
    job = {**paths, "columns": columns, "target": "label", "seconds": seconds}
    asked = ("--target", "label", "--metric", "accuracy", "--budget", f"{seconds}s", "--name", "texts")
    fitted = bench.luban("fit", paths["learn"], *asked)
    trained = bench.program("with_trainer", job)
    speed = bench.program("speed", {**job, "turns": 5, "rows": 384})
    own, other = of_luban(bench, "texts", paths["test"], truth), accuracy(truth, trained["predicted"])
    lines = [
        Line(what="accuracy", luban=own, other=other, beside="Trainer", target="at least Trainer's", met=own >= other),
        Line(
            what="training rows/s",
            luban=speed["luban"],
            other=speed["trainer"],
            beside=f"Trainer, {speed['precision']}",
            target="at least Trainer's",
            met=speed["ratio"] >= 1.0,
        ),
        Line(what="seconds of the whole", luban=fitted["wall"], other=trained["wall"], beside="Trainer"),
    ]
    del trained["predicted"]
    return lines, {"fit": _told(fitted), "trainer": trained, "speed": speed}


def first_model(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Fit a linear probe on the vectors of the default backbone: how soon it stands on 2,000 rows."""
    parts = rows.sst2(bench.data)
    paths = rows.written(
        bench.folder, rows=parts["train"].sample(FIRST_ROWS, random_state=rows.SEED), test=parts["test"]
    )
    asked = (
        "--target",
        "label",
        "--learners",
        "linear_probe",
        "--budget",
        f"{bench.seconds(60.0)}s",
        "--name",
        "first",
    )
    fitted = bench.luban("fit", paths["rows"], *asked)
    seen = _STANDS.search((bench.folder / "luban-fit.log").read_text())
    if seen is None:
        raise RunFailed("no linear probe stood within the budget")
    first = float(seen.group(1))
    own = of_luban(bench, "first", paths["test"], parts["test"]["label"].tolist())
    return [
        Line(
            what="seconds from the call to the first model, 2,000 rows",
            luban=first,
            target=f"{FIRST_SECONDS:.0f} s",
            met=first <= FIRST_SECONDS,
        ),
        Line(what="accuracy of the whole fit, 60 s", luban=own),
    ], {"fit": _told(fitted)}


def _told(fitted: dict[str, Any]) -> dict[str, Any]:
    return {name: fitted[name] for name in ("wall", "score", "metric", "leaderboard", "notes", "run")}
