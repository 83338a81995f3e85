"""The command: see ``README.md`` beside this file."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.automl.environments import peer_python
from benchmarks.serving import batching, rollout, rows
from benchmarks.serving.model import make
from benchmarks.serving.systems import PEERS

MEASURES = {
    "rows": rows.rows,
    "swap": rollout.swap,
    "canary": rollout.canary,
    "shadow": rollout.shadow,
    "batching": batching.batching,
}
ENVIRONMENTS = Path.home() / ".cache" / "luban-benchmarks" / "environments"


def main() -> int:
    """Measure what is asked for, print it, and write it where asked; results of other measures are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON of results; those of other measures are kept")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="where peers are installed")
    parser.add_argument("--install", action="store_true", help="only install the peers")
    options = parser.parse_args()
    environments = options.environments.expanduser()
    if options.install:
        for name in PEERS:
            print(peer_python(name, environments))
        return 0
    results: dict[str, Any] = {}
    if options.out is not None and options.out.exists():
        results = json.loads(options.out.read_text())
    with tempfile.TemporaryDirectory(prefix="luban-serving-") as name:
        folder = Path(name)
        made = make(folder)
        for measure in options.only:
            results[measure] = MEASURES[measure](made, folder, environments)
            print(f"{measure}: {json.dumps(results[measure], indent=2)}", flush=True)
            if options.out is not None:
                options.out.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
