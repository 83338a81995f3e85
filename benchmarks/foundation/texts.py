"""Texts: fine-tuning beside transformers' Trainer, and seconds to the first model on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.foundation import rows
from benchmarks.foundation.bench import Bench, Line
from benchmarks.foundation.scoring import accuracy, of_luban

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

BUDGET = 180.0
FIRST_BUDGET, FIRST_ROWS = 20.0, 2000


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
    fitted = bench.luban(
        "fit", paths["rows"], "--target", "label", "--learners", "linear_probe", "--rounds", 1, "--name", "first"
    )
    own = of_luban(bench, "first", paths["test"], parts["test"]["label"].tolist())
    return [
        Line(
            what="seconds of the command, 2,000 rows",
            luban=fitted["wall"],
            target=f"{FIRST_BUDGET:.0f} s",
            met=fitted["wall"] <= FIRST_BUDGET,
        ),
        Line(what="accuracy", luban=own),
    ], {"fit": _told(fitted)}


def _told(fitted: dict[str, Any]) -> dict[str, Any]:
    return {name: fitted[name] for name in ("wall", "score", "metric", "leaderboard", "notes", "run")}
