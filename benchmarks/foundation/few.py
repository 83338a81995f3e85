"""banking77 with eight examples a class: contrastive pairs in Luban and in SetFit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.automl.environments import peer_python
from benchmarks.foundation import rows
from benchmarks.foundation.bench import Bench, Line
from benchmarks.foundation.scoring import accuracy, of_luban

if TYPE_CHECKING:
    import pandas as pd

EACH = 8
# Pairs that SetFit makes of each row, alike and unalike; its authors take 20 where time does not matter.
ITERATIONS = (5,)


def banking77(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Intents of customers, 77 of them."""
    table = rows.frame(bench.data, "banking77")
    whole = table[table.split == "train"]
    learn: pd.DataFrame = whole.groupby("category").sample(EACH, random_state=rows.SEED)[["text", "category"]]
    test = table[table.split == "test"][["text", "category"]]
    paths = rows.written(bench.folder, learn=learn, test=test)
    truth = test["category"].tolist()
    python = peer_python("setfit", bench.environments)
    lines, details = [], {}
    for iterations in ITERATIONS:
        job = {**paths, "text": "text", "target": "category", "iterations": iterations}
        peer = bench.program("with_setfit", job, python)
        name = f"few{iterations}"
        fitted = bench.luban(
            "fit", paths["learn"], "--target", "category", "--metric", "accuracy", "--learners", "few_shot",
            "--budget", f"{peer['wall_of_fit']:.0f}s", "--name", name,
        )  # fmt: skip
        own, other = of_luban(bench, name, paths["test"], truth), accuracy(truth, peer.pop("predicted"))
        beside = f"SetFit, {iterations} iterations"
        lines += [
            Line(what="accuracy", luban=own, other=other, beside=beside, target="at least", met=own >= other),
            Line(
                what="seconds of the fit",
                luban=fitted["wall"],
                other=peer["wall_of_fit"],
                beside=beside,
                target="at most",
                met=fitted["wall"] <= peer["wall_of_fit"] + 1.0,
            ),
        ]
        details[name] = {"peer": peer, "notes": fitted["notes"], "score": fitted["score"]}
    return lines, details
