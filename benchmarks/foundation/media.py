"""Pictures and sounds beside what scikit-learn makes of pixels and of MFCC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.foundation import baselines, rows
from benchmarks.foundation.bench import Bench, Line
from benchmarks.foundation.scoring import accuracy, of_luban

if TYPE_CHECKING:
    from collections.abc import Callable

_PIXELS, _MFCC = "pixels, PCA, SVM", "MFCC, SVM"


def mnist_5k(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Handwritten digits, 4,000 to learn from."""
    train, test = rows.mnist(bench.data, bench.folder)
    return _compared(bench, train, test, 120.0, baselines.pixels, _PIXELS, least=0.97)


def cifar10_sample(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Small photographs of ten things, 500 of each."""
    folder = rows.unpacked(bench.data, "cifar10_sample", "images.zip", bench.folder / "pictures")
    return _compared(bench, str(folder / "train"), str(folder / "test"), 120.0, baselines.pixels, _PIXELS)


def ants_bees(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Photographs of ants and of bees."""
    folder = rows.unpacked(bench.data, "ants_bees", "images.zip", bench.folder / "pictures")
    return _compared(bench, str(folder / "train"), str(folder / "val"), 60.0, baselines.pixels, _PIXELS)


def fsdd(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Spoken digits, the same speakers in both parts."""
    train, test = rows.fsdd(bench.data, bench.folder)
    return _compared(bench, train, test, 60.0, baselines.coefficients, _MFCC)


def _compared(
    bench: Bench,
    train: str,
    test: str,
    budget: float,
    baseline: Callable[[str, str], tuple[list[object], list[str]]],
    beside: str,
    least: float | None = None,
) -> tuple[list[Line], dict[str, Any]]:
    fitted = bench.luban(
        "fit", train, "--metric", "accuracy", "--budget", f"{bench.seconds(budget)}s", "--name", "media"
    )
    own = of_luban(bench, "media", test)
    predicted, truth = baseline(train, test)
    other = accuracy(truth, predicted)
    target = "above" if least is None else f"at least {least:.0%}"
    line = Line(
        what=f"accuracy after {bench.seconds(budget):.0f} s",
        luban=own,
        other=other,
        beside=beside,
        target=target,
        met=own > other if least is None else own >= least,
    )
    return [line], {"leaderboard": fitted["leaderboard"], "notes": fitted["notes"], "wall": fitted["wall"]}
