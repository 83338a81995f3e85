"""The command: see ``README.md`` beside this file."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import luban
from benchmarks.loop.play import play
from benchmarks.loop.servers import answering, taking_labels
from luban.core.budget import Duration
from luban.operations.deploy import deploy
from luban.operations.fit import fit
from luban.operations.loading import fitted
from luban.operations.updates.list_ import updates_list
from luban.operations.updates.set import updates_set
from luban.store import Workspace

DAY = 48  # rows: the stream has one every half hour


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="elec2_stream/data.parquet")
    parser.add_argument("--first", type=int, default=5_000, help="rows that the first model learns from")
    parser.add_argument("--rows", type=int, default=45_312, help="rows of the stream, the first ones among them")
    parser.add_argument("--seconds", type=float, default=200.0, help="that the stream is played in")
    parser.add_argument("--budget", type=float, default=12.0, help="seconds of an update")
    parser.add_argument("--window", default="auto", help="of the policy")
    parser.add_argument("--on", default="drift", choices=("drift", "labels"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help="where the workspace stays to be looked at")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(chosen, (chosen.folder or Path(folder)) / ".luban")
    print(json.dumps(found, indent=2))
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=2))


def measured(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the accuracy of the loop and of the first model over the stream, with a paired bootstrap over days."""
    whole = pd.read_parquet(chosen.data)[: chosen.rows]
    first, stream = whole[: chosen.first], whole[chosen.first :]
    target = "class"
    with Workspace.open(folder) as workspace:
        fit(workspace, first, target=target, metric="accuracy", name="elec", budget=Duration(20))
        deploy(workspace, "elec", "elec")
        updates_set(workspace, "elec", on=chosen.on, labels=500, window=chosen.window, budget=Duration(chosen.budget))
    told: list[dict[str, Any]] = []
    with answering(folder, "elec", told) as serve, taking_labels(folder) as server:
        pace = len(stream) / chosen.seconds
        played = play(stream, target, serve=serve, server=server, name="elec", batch=DAY, delay=1, pace=pace)
    with Workspace.open(folder) as workspace:
        never = fitted(workspace, "elec/1").predict(stream.drop(columns=target)).prediction.to_pylist()
        listed = updates_list(workspace, "elec", limit=1000).updates
        audited = workspace.audit.verify()
        windows = [workspace.runs.tags(one.run).get("way", "") for one in reversed(listed)]
    truth = stream[target].to_numpy()
    loop, still = np.array(played.predictions) == truth, np.array(never) == truth
    low, high = interval(loop.astype(float) - still)
    outcomes: dict[str, int] = {}
    for one in listed:
        outcomes[one.outcome] = outcomes.get(one.outcome, 0) + 1
    return {
        "luban": luban.__version__,
        "rows": len(stream),
        "seconds": round(played.seconds, 1),
        "accuracy_loop": float(loop.mean()),
        "accuracy_never_updated": float(still.mean()),
        "gain": float(loop.mean() - still.mean()),
        "gain_95": [low, high],
        "updates": outcomes,
        "versions": {version: played.versions.count(version) for version in dict.fromkeys(played.versions)},
        "by_tenth": [
            [round(float(part.mean()), 4) for part in pair]
            for pair in zip(np.array_split(loop, 10), np.array_split(still, 10), strict=True)
        ],
        "told": [one for one in told if one["event"] == "update" and one.get("outcome") == "failed"],
        "ways": [
            f"{one.outcome}: {one.champion} -> {one.challenger or 'none'} ({one.why})" for one in reversed(listed)
        ],
        "windows": windows,
        "audit_entries": audited,
    }


def interval(gains: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """Return the 95 % interval of the mean gain; days are drawn, as rows of one day are alike."""
    days = np.array_split(gains, range(DAY, len(gains), DAY))
    sums, counts = np.array([day.sum() for day in days]), np.array([len(day) for day in days])
    drawn = np.random.default_rng(0).integers(0, len(days), (draws, len(days)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
