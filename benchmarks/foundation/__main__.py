"""The command: see ``README.md`` beside this file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.automl.failure import SystemFailed
from benchmarks.foundation import chinese, few, int8, media, mixture, texts
from benchmarks.foundation.bench import Bench
from benchmarks.foundation.failure import RunFailed
from benchmarks.foundation.table import markdown

CACHE = Path.home() / ".cache" / "luban-benchmarks"
COMPARISONS = {
    "sst2": texts.sst2,
    "ag_news": texts.ag_news,
    "first_model": texts.first_model,
    "banking77": few.banking77,
    "chnsenticorp_htl": chinese.chnsenticorp_htl,
    "mnist_5k": media.mnist_5k,
    "cifar10_sample": media.cifar10_sample,
    "ants_bees": media.ants_bees,
    "fsdd": media.fsdd,
    "petfinder_mini": mixture.petfinder_mini,
    "int8": int8.int8,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foundation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="JSON of results; those of other comparisons are kept")
    parser.add_argument("--only", nargs="+", choices=COMPARISONS, default=list(COMPARISONS))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all budgets; below 1 only to try it out")
    parser.add_argument("--environments", type=Path, default=CACHE / "environments", help="where peers are installed")
    parser.add_argument("--runs", type=Path, default=CACHE / "foundation", help="where files, models and logs are kept")
    return parser.parse_args()


def main() -> int:
    """Run what is asked for; the results file is written anew after each comparison."""
    options = _arguments()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])  # inherited by every system
    records = {}
    if options.out.exists():
        records = {one["name"]: one for one in json.loads(options.out.read_text())["results"]}
    for name in options.only:
        bench = Bench(
            data=options.data.resolve(),
            folder=options.runs.resolve() / name,
            environments=options.environments.expanduser(),
            cores=options.cores,
            scale=options.scale,
        )
        bench.fresh()
        print(f"{name}: {bench.folder}", file=sys.stderr, flush=True)
        begun, busy = time.perf_counter(), os.getloadavg()[0]
        record = {"name": name, "scale": options.scale, "load": busy, "machine": platform.machine()}
        try:
            lines, details = COMPARISONS[name](bench)
            record |= {"lines": [asdict(line) for line in lines], "details": details}
        except (RunFailed, SystemFailed) as failure:
            record["error"] = str(failure)
        records[name] = {**record, "seconds": time.perf_counter() - begun}
        options.out.write_text(json.dumps({"results": list(records.values())}, indent=2, default=str))
    shown = [records[name] for name in COMPARISONS if name in records]
    print(markdown(shown))
    return int(any("error" in record for record in shown))


if __name__ == "__main__":
    sys.exit(main())
