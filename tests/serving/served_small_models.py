"""A server of small models, started by tests as a process of its own: ``python served_small_models.py [options]``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import small_models as small
from luban.export.onnx.build import build
from luban.serving.limits import Limits
from luban.serving.runtime import Runtime
from luban.serving.server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@contextmanager
def server_process(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server of the small models; gives the process and its URL, and kills what has not stopped."""
    process = subprocess.Popen(
        [sys.executable, str(__file__), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), process.stderr and process.stderr.read()
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@dataclass(frozen=True, kw_only=True)
class Slow(small.ByHand):
    """Takes a second."""

    def predict(self, rows: Any) -> Any:
        time.sleep(1.0)
        return super().predict(rows)


@dataclass(frozen=True, kw_only=True)
class Held(small.ByHand):
    """Answers who is 61 as soon as a file is there."""

    file: Path

    def predict(self, rows: Any) -> Any:
        while 61.0 in rows["age"].to_pylist() and not self.file.exists():
            time.sleep(0.02)
        return super().predict(rows)


@dataclass(frozen=True, kw_only=True)
class Broken(small.ByHand):
    """Has a defect."""

    def predict(self, rows: Any) -> Any:
        raise ZeroDivisionError("a secret detail")


def runtimes(held: Path) -> list[Runtime]:
    """Return one model of each kind of task, one with two versions, one slow, one broken and one that waits."""
    found = []
    for name, task in (
        ("binary", small.BINARY),
        ("three", small.THREE),
        ("number", small.NUMBER),
        ("quantiles", small.QUANTILES),
    ):
        fitted = small.fitted(task, threshold=0.4 if name == "binary" else None)
        found.append(Runtime.from_fitted(fitted, build(fitted), name=name, version=1))
    found.append(Runtime.from_fitted(small.fitted(small.BINARY, threshold=0.4), name="binary", version=2))
    found.append(Runtime.from_fitted(small.fitted(small.NUMBER, Slow(task=small.NUMBER)), name="slow"))
    found.append(Runtime.from_fitted(small.fitted(small.NUMBER, Broken(task=small.NUMBER)), name="broken"))
    waiting = Held(task=small.NUMBER, file=held)
    found.append(Runtime.from_fitted(small.fitted(small.NUMBER, waiting), name="held"))
    return found


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest-body", type=int, default=1_000_000)
    parser.add_argument("--held", type=Path, default=HERE, help="The file that the model held waits for.")
    options = parser.parse_args()
    answered = serve(
        runtimes(options.held),
        port=0,
        limits=Limits(body=options.largest_body, seconds=180.0),
        grace=180.0,
        started=lambda url: print(url, flush=True),
    )
    print(f"answered {answered}", flush=True)


if __name__ == "__main__":
    main()
