"""Chinese hotel reviews: the multilingual backbone and runs of characters, beside runs of characters alone."""

from __future__ import annotations

from typing import Any

from benchmarks.foundation import rows
from benchmarks.foundation.baselines import characters
from benchmarks.foundation.bench import Bench, Line
from benchmarks.foundation.scoring import accuracy, of_luban

BUDGET = 180.0


def chnsenticorp_htl(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Sentiment of hotel reviews."""
    learn, test = rows.halves(rows.frame(bench.data, "chnsenticorp_htl"), "label")
    paths = rows.written(bench.folder, learn=learn, test=test)
    truth = test["label"].tolist()
    fitted = bench.luban(
        "fit",
        paths["learn"],
        "--target",
        "label",
        "--metric",
        "accuracy",
        "--budget",
        f"{bench.seconds(BUDGET)}s",
        "--name",
        "chinese",
    )
    predicted = characters(
        *(part.tolist() for part in (learn["text"].fillna(""), learn["label"], test["text"].fillna("")))
    )
    own, other = of_luban(bench, "chinese", paths["test"], truth), accuracy(truth, predicted)
    line = Line(
        what="accuracy",
        luban=own,
        other=other,
        beside="character n-grams + logistic regression",
        target="above",
        met=own > other,
    )
    return [line], {"leaderboard": fitted["leaderboard"], "notes": fitted["notes"], "wall": fitted["wall"]}
