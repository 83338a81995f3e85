"""Measure the store: ``python -m benchmarks.tracking --out FILE [--store postgresql://...]``.

Prints a Markdown table; the JSON holds the same figures with the machine they were measured on.
Set ``--folder`` to a disk of the kind that counts: durable writes are as quick as its fsync.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

from benchmarks.automl.environments import peer_python
from benchmarks.tracking.measures import (
    audit_chain,
    fill,
    log_batches,
    log_one,
    pages,
    track_alone,
    track_one,
    track_runs,
)
from benchmarks.tracking.mlflow_client import compare
from benchmarks.tracking.processes import eight, eight_alone
from luban.store import Workspace

LIMITS = {
    "track_p50_us": ("one value, `luban.track(...).log`, p50", "µs", "<= 20"),
    "track_p99_us": ("the same, p99", "µs", ""),
    "track_runs_per_s": (
        "nested runs of `luban.track`, a parameter and a value each, all on the disk",
        "runs/s",
        ">= 1,000",
    ),
    "track_alone_per_s": ("runs of `luban.track` that are part of none, one after the other", "runs/s", ">= 1,000"),
    "eight_alone_per_s": ("the same by 8 processes at once", "runs/s", ""),
    "eight_values_per_s": ("8 processes log at once, all on the disk", "values/s", ""),
    "eight_lost": ("of these lost, or ended by an error", "", "0"),
    "log_p50_us": ("one value, `runs.log`, p50", "µs", "<= 20"),
    "log_p99_us": ("one value, `runs.log`, p99", "µs", ""),
    "last_flush_ms": ("`runs.flush` after 50,000 values", "ms", ""),
    "log_many_rows_per_s": ("durable in batches of 10,000, `runs.log_many`", "rows/s", ">= 100,000"),
    "log_many_batch_ms": ("one such batch", "ms", ""),
    "runs_per_s": ("runs of 50 metrics, started, logged and finished durably", "runs/s", ""),
    "page_filtered_sorted_ms": ("a page of 100 of 10,000 runs x 50 metrics: two filters, sorted", "ms", "<= 100"),
    "page_filtered_sorted_offset_4000_ms": ("the 41st page: one filter, sorted", "ms", "<= 100"),
    "page_sorted_ms": ("a page: sorted", "ms", "<= 100"),
    "page_newest_ms": ("a page: the newest", "ms", "<= 100"),
    "audit_verify_s": ("the audit chain of 100,000 entries verified", "s", "<= 2"),
    "audit_head_cpu_ms": ("a look at its end, processor time of the client", "ms", ""),
}
CALLS = {
    "log_metric": "`log_metric`",
    "log_batch": "`log_batch` of 1,000 values",
    "run": "a run: create, log a batch, end",
    "search": "`search_runs`, filtered and sorted",
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracking", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON of the figures")
    parser.add_argument("--store", default="", help="a database URL in place of SQLite; it must be empty")
    parser.add_argument("--folder", type=Path, help="where the workspace is made; by default the temporary folder")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--peers", type=Path, help="folder of the peers' virtual environments; without it no peer runs")
    chosen = parser.parse_args()
    if chosen.store:
        os.environ["LUBAN_STORE"] = chosen.store
    else:
        os.environ.pop("LUBAN_STORE", None)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, Workspace.open(Path(folder) / ".luban") as workspace:
        figures |= track_one(workspace)
        figures |= track_runs(workspace)
        figures |= track_alone(workspace)
        figures |= eight(workspace)
        figures |= eight_alone(workspace)
        figures |= fill(workspace, runs=chosen.runs)
        figures |= pages(workspace)
        figures |= log_one(workspace)
        figures |= log_batches(workspace)
        figures |= audit_chain(workspace)
        store = workspace.store
        if chosen.peers:
            figures |= compare(Path(folder), peer_python("mlflow", chosen.peers))
    machine = {"python": platform.python_version(), "platform": platform.platform(), "cpus": os.cpu_count()}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({"store": store, "machine": machine, "figures": figures}, indent=1) + "\n")
    print(f"| {store} | measured | limit |\n|---|---|---|")
    for name, (words, unit, limit) in LIMITS.items():
        print(f"| {words} | {figures[name]:,.1f} {unit} | {limit} |")
    if chosen.peers:
        print(
            "\n| the MLflow client, p50 | to `luban server` | to `mlflow server`, SQLite | ratio |\n|---|---|---|---|"
        )
        for call, words in CALLS.items():
            ours, theirs, ratio = (figures[f"client_{call}_{what}"] for what in ("luban_ms", "mlflow_ms", "ratio"))
            print(f"| {words} | {ours:.1f} ms | {theirs:.1f} ms | {ratio:.1f} |")


if __name__ == "__main__":
    main()
