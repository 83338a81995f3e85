"""The comparison's command: see ``README.md`` beside this file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks.automl.failure import SystemFailed
from benchmarks.automl.job import Job
from benchmarks.automl.scoring import score
from benchmarks.automl.sets import SETS
from benchmarks.automl.split import write_split
from benchmarks.automl.systems import SYSTEMS, run_system
from benchmarks.automl.table import markdown

CACHE = Path.home() / ".cache" / "luban-benchmarks"


def _names(known: dict[str, Any]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return names

    return parse


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.automl", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets, NAME/data.parquet each")
    parser.add_argument("--out", type=Path, required=True, help="JSON of results; those of other pairs in it are kept")
    parser.add_argument("--systems", type=_names(SYSTEMS), default=list(SYSTEMS), help="comma-separated")
    parser.add_argument("--sets", type=_names(SETS), default=list(SETS), help="comma-separated")
    parser.add_argument("--budget", type=int, default=60, help="seconds to fit")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="seed of the systems that take one (the split's is fixed)")
    parser.add_argument("--without-identifiers", action="store_true", help="leave row numbers and origins out")
    parser.add_argument("--environments", type=Path, default=CACHE / "environments", help="where peers are installed")
    parser.add_argument("--runs", type=Path, default=CACHE / "runs", help="where splits, models and logs are kept")
    return parser.parse_args()


def _earlier(out: Path, settings: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Read the results already in the file, by set and system; the settings must be the same."""
    if not out.exists():
        return {}
    stored = json.loads(out.read_text())
    if stored["settings"] != settings:
        raise SystemExit(
            f"{out} holds results of other settings: {stored['settings']}, now {settings}; name another file"
        )
    return {(record["set"], record["system"]): record for record in stored["results"]}


def main() -> int:
    """Run every asked system on every asked set; the results file is rewritten after each run."""
    options = _arguments()
    settings = {
        "budget": options.budget,
        "cores": options.cores,
        "seed": options.seed,
        "without_identifiers": options.without_identifiers,
        "machine": platform.machine(),
    }
    results = _earlier(options.out, settings)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])  # inherited by every system
    runs = options.runs.resolve()
    for set_name in options.sets:
        data = SETS[set_name]
        part = f"{set_name}-without-identifiers" if options.without_identifiers else set_name
        split = write_split(data, options.data, runs / "splits" / part, without_identifiers=options.without_identifiers)
        for system_name in options.systems:
            system = SYSTEMS[system_name]
            job = Job(
                folder=str(runs / part / system_name),
                train=str(split.train),
                test=str(split.test),
                target=data.target,
                kind=data.kind,
                metric=data.metric,
                budget=options.budget,
                cores=options.cores,
                seed=options.seed,
                preset=system.preset,
            )
            record = {"set": set_name, "system": system_name, "metric": data.metric, "split": split.digest}
            print(f"{system_name} on {part}", file=sys.stderr, flush=True)
            try:
                record |= run_system(system, job, options.environments.expanduser()) | score(job)
            except SystemFailed as failure:
                record["error"] = str(failure)
            results[set_name, system_name] = record
            options.out.write_text(json.dumps({"settings": settings, "results": list(results.values())}, indent=2))
    shown = [record for name in SETS for record in results.values() if record["set"] == name]
    print(markdown(shown))
    return int(any("error" in record for record in shown))


if __name__ == "__main__":
    sys.exit(main())
