"""petfinder_mini: columns and a description together, beside each of them alone."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.metrics import log_loss

from benchmarks.foundation import rows
from benchmarks.foundation.bench import Bench, Line
from benchmarks.foundation.scoring import accuracy

BUDGET = 90.0
TARGET, TEXT = "AdoptionSpeed", "Description"


def petfinder_mini(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Judge how soon a pet is adopted by log loss, which is what is optimised; accuracy is shown beside."""
    learn, test = rows.halves(rows.frame(bench.data, "petfinder_mini"), TARGET)
    paths = rows.written(bench.folder, learn=learn, test=test)
    others = [name for name in learn.columns if name not in (TEXT, TARGET)]
    without = {"mixture": [], "columns alone": [TEXT], "text alone": others}
    truth = test[TARGET].astype(str)
    losses, shares, details = {}, {}, {}
    for name, ignored in without.items():
        model = name.split()[0]
        given = ["--ignore", ",".join(ignored)] if ignored else []
        budget = f"{bench.seconds(BUDGET)}s"
        fitted = bench.luban("fit", paths["learn"], "--target", TARGET, "--budget", budget, "--name", model, *given)
        output = bench.folder / f"{model}.parquet"
        bench.luban("predict", model, paths["test"], "-o", output)
        predicted = pd.read_parquet(output)
        labels = sorted(truth.unique())
        found = predicted[[f"probability_{label}" for label in labels]].to_numpy("float64")
        losses[name] = float(log_loss(truth, found / found.sum(axis=1, keepdims=True), labels=labels))
        shares[name] = accuracy(truth.tolist(), predicted["prediction"].tolist())
        details[name] = {"leaderboard": fitted["leaderboard"], "notes": fitted["notes"], "wall": fitted["wall"]}
    lines = []
    for name in list(without)[1:]:
        met = losses["mixture"] < losses[name]
        lines.append(
            Line(what="log loss", luban=losses["mixture"], other=losses[name], beside=name, target="below", met=met)
        )
        lines.append(Line(what="accuracy", luban=shares["mixture"], other=shares[name], beside=name))
    return lines, details
