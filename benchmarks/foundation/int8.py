"""A text model in eight bits beside the same model in 32: size, rows a second, labels."""

from __future__ import annotations

from typing import Any

from benchmarks.foundation import rows
from benchmarks.foundation.bench import Bench, Line

BUDGET = 60.0


def int8(bench: Bench) -> tuple[list[Line], dict[str, Any]]:
    """Compress a network that was adapted to sst2; ``luban compress`` measures on rows of the test part."""
    parts = rows.sst2(bench.data)
    paths = rows.written(bench.folder, learn=parts["learn"], test=parts["test"])
    budget = f"{bench.seconds(BUDGET)}s"
    bench.luban(
        "fit", paths["learn"], "--target", "label", "--learners", "fine_tune", "--budget", budget, "--name", "texts"
    )
    made = bench.luban("compress", "texts", "--int8", "--max-loss", 0.01, "--data", paths["test"])
    return [
        Line(what="size, of fp32", luban=made["size"], target="at most 0.27", met=made["size"] <= 0.27),
        Line(what="rows/s, of ONNX fp32", luban=made["speed"], target="at least 1.8", met=made["speed"] >= 1.8),
        Line(what="labels the same", luban=made["same"], target="at least 99 %", met=made["same"] >= 0.99),
        Line(what=f"loss of {made['metric']}", luban=made["loss"], target="at most 0.01", met=made["loss"] <= 0.01),
    ], {name: made[name] for name in ("form", "rows", "wall")}
