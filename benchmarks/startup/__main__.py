"""Measure `import luban` over bare Python, and `luban --version`, in fresh processes.

Run as ``python -m benchmarks.startup [--out FILE] [--times 20]``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

# The peak since this program began; ru_maxrss would carry over that of the process it was forked from.
MEMORY = "print(next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def seconds(command: list[str], times: int) -> float:
    """Return the median wall time of a command, in seconds, after one run to warm the disk."""
    found = []
    for _ in range(times + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


def megabytes(statement: str) -> float:
    """Return the peak resident memory of a process that runs a statement, in MB."""
    code = f"{statement}; {MEMORY}"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure, print a table, and write the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    luban = str(Path(sys.executable).with_name("luban"))
    bare = seconds([sys.executable, "-c", "pass"], arguments.times)
    figures = {
        "import luban, seconds over bare Python": seconds([sys.executable, "-c", "import luban"], arguments.times)
        - bare,
        "import luban, MB over bare Python": megabytes("import luban") - megabytes("pass"),
        "luban --version, seconds": seconds([luban, "--version"], arguments.times),
        "luban --help, seconds": seconds([luban, "--help"], arguments.times),
        "luban models list, seconds": seconds([luban, "models", "list", "--json"], arguments.times),
        "bare Python, seconds": bare,
    }
    print(f"| what | figure ({os.cpu_count()} cores) |\n|---|---|")
    for what, figure in figures.items():
        print(f"| {what} | {figure:.3f} |")
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
