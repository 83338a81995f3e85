"""The benchmark's command: see ``README.md`` beside this file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.latency.ensembles import ensemble
from benchmarks.latency.in_process import batch, graph_facts, one_row
from benchmarks.latency.over_http import over_http

SETS = "adult,covertype_sample,diamonds,telco_churn"


def main() -> int:
    """Measure each data set and print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets, NAME/data.parquet each")
    parser.add_argument("--sets", default=SETS, help="comma-separated")
    parser.add_argument("--rounds", type=int, default=1000, help="trees of each booster")
    parser.add_argument("--out", type=Path, help="JSON of results")
    options = parser.parse_args()
    results = {}
    for name in options.sets.split(","):
        measured = ensemble(name, options.data, options.rounds)
        results[name] = {
            "graph": graph_facts(measured),
            "one_row": one_row(measured),
            "batch": batch(measured),
            "http_1": over_http(measured, 1),
            "http_16": over_http(measured, 16),
        }
        for part, figures in results[name].items():
            shown = ", ".join(f"{figure} {value:.4g}" for figure, value in figures.items())
            print(f"{name} {part}: {shown}", flush=True)
    if options.out:
        options.out.write_text(json.dumps({"rounds": options.rounds, "results": results}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
