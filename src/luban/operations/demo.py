"""Demo: the main job on real data, from a file to an answered request."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.budget import Duration
from luban.core.errors import Conflict
from luban.core.operation import operation
from luban.core.progress import Progress, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.store import Workspace

TARGET = "diagnosis"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the demo: the command that does it, and what came out."""

    command: str
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Demonstrated:
    """The steps that were taken, and what to type next."""

    folder: str
    model: str
    steps: tuple[Step, ...]
    next: tuple[str, ...]


@operation(permission="models:write", long=True, remote=False)
def demo(
    workspace: Workspace,  # noqa: ARG001 - the demo makes its own, so that one folder holds all of it
    *,
    folder: Path = Path("luban-demo"),
    budget: Duration = Duration(20),  # noqa: B008 - a constant
) -> Demonstrated:
    """Show the main job on real data: import, profile, fit, explain, export, serve; all in one new folder.

    The data are the breast cancer measurements that come with scikit-learn: 569 tumours, 30 measurements each.

    Parameters
    ----------
    folder
        Where to put the files and the workspace of the demo; delete it and all is gone.
    budget
        Time for the fit.
    """
    from luban.store import Workspace

    if folder.exists() and any(folder.iterdir()):
        raise Conflict(
            "the demo wants a folder of its own", seen=f"{folder} is not empty", remedy="Give another with --folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    training, test = _write_data(folder)
    with Workspace.open(folder / ".luban") as own:
        return _walk(own, folder, training, test, budget)


def _walk(workspace: Workspace, folder: Path, training: Path, test: Path, budget: Duration) -> Demonstrated:
    from luban.operations.data.import_ import data_import
    from luban.operations.data.profile import data_profile
    from luban.operations.evaluate import evaluate
    from luban.operations.explain import explain
    from luban.operations.export import export
    from luban.operations.fit import fit
    from luban.operations.predict import predict

    steps: list[Step] = []

    def done(command: str, outcome: str) -> None:
        steps.append(Step(command=command, outcome=outcome))
        tell(Progress(stage="demo", message=f"{command}  ->  {outcome}"))

    data = data_import(workspace, str(training), name="tumours")
    done(f"luban data import {training.name} --name tumours", f"{data.dataset}: {data.rows} rows")
    profile = data_profile(workspace, "tumours", target=TARGET).report
    warned = [finding.what for finding in profile.findings if finding.verdict in {"warn", "block"}]
    done(f"luban data profile tumours --target {TARGET}", "; ".join(warned[:2]) or "nothing suspicious")
    fitted = fit(workspace, "tumours", target=TARGET, budget=budget, name="tumours")
    best = ", ".join(f"{line.learner} {line.weight:.2f}" for line in fitted.leaderboard if line.weight > 0)
    done(
        f"luban fit tumours --target {TARGET} --budget {float(budget):.0f}s",
        f"{fitted.model}: cross-validated {fitted.metric} {fitted.score:.4f} in {fitted.seconds:.0f} s ({best})",
    )
    judged = evaluate(workspace, fitted.model, str(test))
    done(
        f"luban evaluate tumours {test.name}",
        "{rows} unseen rows: accuracy {accuracy:.3f}, roc_auc {roc_auc:.4f}".format(rows=judged.rows, **judged.metrics),
    )
    explained = explain(workspace, fitted.model, str(test), budget=Duration(5))
    done(f"luban explain tumours {test.name}", explained.report.findings[0].what)
    written = predict(workspace, fitted.model, str(test), output=folder / "predictions.parquet")
    done(f"luban predict tumours {test.name} -o predictions.parquet", f"{written.rows} predictions")
    exported = export(workspace, fitted.model, output=folder / "onnx")
    done("luban export tumours --to onnx -o onnx", f"one graph, parity {exported.parity:.1g}")
    answer = _ask_server(workspace, fitted.model, test)
    done("luban serve tumours", f"one request answered: {json.dumps(answer, ensure_ascii=False)}")
    return Demonstrated(
        folder=str(folder),
        model=fitted.model,
        steps=tuple(steps),
        next=(
            f"cd {folder}",
            "luban models show tumours",
            f"luban evaluate tumours {test.name} --html evaluation.html",
            f"luban explain tumours {test.name} --rows 0,1 --html explanation.html",
            "luban serve tumours",
            "luban fit YOUR.csv --target COLUMN --budget 60s",
        ),
    )


def _write_data(folder: Path) -> tuple[Path, Path]:
    """Write scikit-learn's breast cancer data as two CSV files and return their paths."""
    import pyarrow as pa
    from pyarrow import csv
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    bunch = load_breast_cancer()
    columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    table = pa.table({**columns, TARGET: [str(bunch.target_names[code]) for code in bunch.target]})
    parts = train_test_split(range(table.num_rows), test_size=0.3, random_state=7, stratify=bunch.target)
    paths = folder / "tumours.csv", folder / "tumours_test.csv"
    for part, path in zip(parts, paths, strict=True):
        csv.write_csv(table.take(part), path)
    return paths


def _ask_server(workspace: Workspace, model: str, test: Path) -> Mapping[str, Any]:
    """Start a server on a free port, ask it one row, stop it, and return its answer."""
    from luban.data import read
    from luban.operations.loading import runtime
    from luban.serving.server import running

    row = read.table(str(test)).drop_columns([TARGET]).slice(0, 1).to_pylist()[0]
    ready = runtime(workspace, model)
    with running([ready]) as url:
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{url}/models/{ready.name}/predict",
            data=json.dumps({"rows": [row]}).encode(),
            headers={"Content-Type": "application/json"},
        )
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            answer: dict[str, Any] = json.loads(response.read())
        seconds = time.perf_counter() - began
    prediction = answer["predictions"][0]
    return {"prediction": prediction.get("prediction", prediction), "milliseconds": round(1000 * seconds, 1)}
