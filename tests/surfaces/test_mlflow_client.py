# ruff: noqa: E501 - programs for the client, a step a line
"""The real MLflow client, unmodified, against `luban server` in a process of its own."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from luban.core.errors import Unsupported
from luban.operations.loading import runtime
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


@contextmanager
def server(folder: Path, **environment: str) -> Iterator[str]:
    """Start a server on a free port and give its address."""
    command = [sys.executable, "-m", "luban", "server", "--port", "0", "--workspace", str(folder / ".luban")]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, **environment}
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", line)
        assert found, line
        yield found.group()
    finally:
        process.terminate()
        process.communicate()


def client(folder: Path, address: str, program: str, **environment: str) -> Any:
    """Run a program that uses the client in a process of its own, and return the JSON that it prints last."""
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MPLBACKEND": "Agg",
        "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
    }
    known = {
        **os.environ,
        **quiet,
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=known, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Encountered unexpected error during" not in done.stderr, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


_LOGS = """
import json, pathlib
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

client, said = MlflowClient(), {}
mlflow.set_experiment("first one")
with mlflow.start_run(run_name="parent", tags={"team": "a b"}, description="why") as run:
    mlflow.log_params({"rate": 0.1, "words": "x y"})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (1 + step), step=step)
    mlflow.log_metrics({"nan": float("nan"), "inf": float("inf")}, step=3)
    client.log_batch(run.info.run_id, [Metric("m", n, 1000 + n, n) for n in range(1000)], [], [])
    client.log_batch(run.info.run_id, [], [Param(f"p{n}", "v") for n in range(100)], [RunTag(f"t{n}", "v") for n in range(90)])
    mlflow.log_dict({"x": [1, 2]}, "deep/er/x.json")
    mlflow.log_text("h\\u00e9", "note.txt")
    folder = pathlib.Path("up"); (folder / "in").mkdir(parents=True)
    (folder / "in" / "a b.bin").write_bytes(bytes(range(256))); (folder / "empty").write_bytes(b"")
    mlflow.log_artifacts("up", "folder")
    with mlflow.start_run(run_name="child", nested=True) as child:
        mlflow.log_metric("loss", 0.05)
    mlflow.set_tag("late", "1"); client.delete_tag(run.info.run_id, "t0")
id = run.info.run_id
found = client.get_run(id)
said["run"] = [id, found.info.status, found.info.run_name, found.data.params["rate"], len(found.data.params), len(found.data.tags) > 90]
said["metrics"] = {key: repr(value) for key, value in found.data.metrics.items()}
said["history"] = [(one.step, one.value) for one in client.get_metric_history(id, "loss")]
said["many"] = len(client.get_metric_history(id, "m"))
said["files"] = sorted(one.path for one in client.list_artifacts(id)) + sorted(one.path for one in client.list_artifacts(id, "folder"))
down = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=id, artifact_path="folder", dst_path="down"))
said["down"] = (down / "in" / "a b.bin").read_bytes() == bytes(range(256)) and (down / "empty").read_bytes() == b""
with mlflow.start_run(run_name="fails"):
    try:
        client.log_param(id, "rate", 7)
    except MlflowException as error:
        said["conflict"] = error.error_code
other = client.create_experiment("second", tags={"k": "v"})
runs = [client.create_run(other, run_name=f"r{n}") for n in range(6)]
for n, one in enumerate(runs):
    client.log_metric(one.info.run_id, "score", n % 3); client.log_param(one.info.run_id, "n", n); client.set_terminated(one.info.run_id)
def names(**given):
    return [one.info.run_name for one in client.search_runs([other], **given)]
said["order"] = names(order_by=["metrics.score DESC", "params.n ASC"])
said["filter"] = names(filter_string="metrics.score >= 1 and params.n != '4' and attributes.status = 'FINISHED'", order_by=["params.n"])
page = client.search_runs([other], max_results=4)
said["pages"] = [len(page), len(client.search_runs([other], max_results=4, page_token=page.token))]
said["like"] = names(filter_string=f"attributes.run_name LIKE 'r%' and run_id IN ('{runs[2].info.run_id}')")
client.delete_run(runs[0].info.run_id)
said["deleted"] = [len(names()), len(names(run_view_type=2)), client.get_run(runs[0].info.run_id).info.lifecycle_stage]
client.restore_run(runs[0].info.run_id)
said["restored"] = len(names())
client.rename_experiment(other, "renamed"); client.set_experiment_tag(other, "a", "b")
client.delete_experiment(other)
said["experiments"] = sorted(one.name for one in client.search_experiments())
client.restore_experiment(other)
said["tagged"] = [one.name for one in client.search_experiments(filter_string="tags.k = 'v'", order_by=["name"])]
said["children"] = [one.info.run_name for one in mlflow.search_runs(experiment_names=["first one"], output_format="list",
                    filter_string=f"tags.mlflow.parentRunId = '{id}'")]
try:
    client.get_run("absent")
except MlflowException as error:
    said["absent"] = error.error_code
print(json.dumps(said))
"""


def test_runs_are_logged_and_found(tmp_path: Path) -> None:
    """Runs, batches at their caps, files up and down, filters, orders, pages, deletion, experiments; with a token."""
    with Workspace.open(tmp_path / ".luban") as workspace:
        _, token = workspace.tokens.create("trainer", scopes=["read", "write"])
    with server(tmp_path) as address:
        said = client(tmp_path, address, _LOGS, MLFLOW_TRACKING_TOKEN=token)
    id, *run = said["run"]  # noqa: A001
    assert run == ["FINISHED", "parent", "0.1", 102, True]
    assert said["metrics"] == {"inf": "inf", "loss": "0.2", "m": "999.0", "nan": "nan"}
    assert said["history"] == [[step, 1 / (1 + step)] for step in range(5)]
    assert said["many"] == 1000
    assert said["files"] == ["deep", "folder", "note.txt", "folder/empty", "folder/in"]
    assert said["down"]
    assert said["conflict"] == "INVALID_PARAMETER_VALUE"
    assert said["order"] == ["r2", "r5", "r1", "r4", "r0", "r3"]
    assert said["filter"] == ["r1", "r2", "r5"]
    assert said["pages"] == [4, 2]
    assert said["like"] == ["r2"]
    assert said["deleted"] == [5, 1, "deleted"]
    assert said["restored"] == 6
    assert said["experiments"] == ["Default", "first one"]
    assert said["tagged"] == ["renamed"]
    assert said["children"] == ["child"]
    assert said["absent"] == "RESOURCE_DOES_NOT_EXIST"
    with Workspace.open(tmp_path / ".luban") as workspace:
        found = workspace.runs.get(id)
        assert (found.state, found.actor, found.request["words"]) == ("finished", "token/trainer", "x y")
        assert math.isinf(found.scores["inf"])
        assert [run.name for run in workspace.runs.list(parent=id)] == ["child"]
        assert [run.state for run in workspace.runs.list() if run.name == "fails"] == ["finished"]


_LEARNS = """
import json
import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

client, said = MlflowClient(), {}
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :6]
mlflow.sklearn.autolog(registered_model_name="cancer")
with mlflow.start_run() as run:
    linear = LogisticRegression(max_iter=50).fit(X, y)
found = client.get_run(run.info.run_id)
said["sklearn"] = [found.data.params["C"], "training_accuracy_score" in found.data.metrics, len(found.inputs.dataset_inputs)]
said["files"] = sorted(one.path for one in client.list_artifacts(run.info.run_id))
version = client.get_model_version("cancer", "1")
said["version"] = [version.status, version.run_id == run.info.run_id]
client.set_registered_model_alias("cancer", "best", 1)
client.set_model_version_tag("cancer", "1", "stage", "tried"); client.update_model_version("cancer", "1", "the first")
version = client.get_model_version_by_alias("cancer", "best")
said["alias"] = [version.version, version.tags, version.description, list(version.aliases)]
again = mlflow.sklearn.load_model("models:/cancer@best")
said["same"] = bool((again.predict(X) == linear.predict(X)).all())
mlflow.sklearn.autolog(disable=True)

import lightgbm
mlflow.lightgbm.autolog()
with mlflow.start_run() as run:
    booster = lightgbm.train({"objective": "binary", "num_leaves": 7, "verbose": -1, "metric": "binary_logloss"},
                             lightgbm.Dataset(X, y), 12, valid_sets=[lightgbm.Dataset(X, y)])
found = client.get_run(run.info.run_id)
said["lightgbm"] = [found.data.params["num_leaves"], len(client.get_metric_history(run.info.run_id, "valid_0-binary_logloss")) >= 12,
                    "feature_importance_gain.png" in {one.path for one in client.list_artifacts(run.info.run_id)}]
logged = mlflow.search_logged_models(output_format="list", filter_string=f"source_run_id = '{run.info.run_id}'")
said["logged"] = [len(logged), logged[0].status.value, len(found.outputs.model_outputs)]
near = np.allclose(mlflow.lightgbm.load_model(logged[0].model_uri).predict(X), booster.predict(X))
registered = mlflow.register_model(logged[0].model_uri, "cancer", tags={"kind": "trees"})
client.set_registered_model_alias("cancer", "best", registered.version)
said["second"] = [str(registered.version), near, [one.version for one in client.search_model_versions("name = 'cancer'")],
                  [one.version for one in client.search_model_versions("tags.kind = 'trees'")]]
said["models"] = [(one.name, dict(one.aliases)) for one in client.search_registered_models("name ILIKE 'CAN%'")]
client.delete_registered_model_alias("cancer", "best"); client.delete_model_version("cancer", "1")
said["left"] = [one.version for one in client.search_model_versions("name = 'cancer'")]
print(json.dumps(said))
"""


def test_models_are_logged_and_registered(tmp_path: Path) -> None:
    """Autologging of scikit-learn and LightGBM, versions, aliases and tags; loaded again they predict the same."""
    with server(tmp_path) as address:
        said = client(tmp_path, address, _LEARNS)
    assert said["sklearn"] == ["1.0", True, 1]
    assert "training_confusion_matrix.png" in said["files"]
    assert said["version"] == ["READY", True]
    assert said["alias"] == ["1", {"stage": "tried"}, "the first", ["best"]]
    assert said["same"]
    assert said["lightgbm"] == ["7", True, True]
    assert said["logged"] == [1, "READY", 1]
    assert said["second"] == ["2", True, ["2", "1"], ["2"]]
    assert said["models"] == [["cancer", {"best": "2"}]]
    assert said["left"] == ["2"]
    with Workspace.open(tmp_path / ".luban") as workspace:
        version = workspace.models.get("cancer")
        assert version.task.kind == "foreign"
        assert version.run is not None
        assert [change.after for change in workspace.models.alias_history("cancer")] == [1, 2, None]
        workspace.models.verify("cancer/2")
        with pytest.raises(Unsupported, match="one of MLflow's"):
            runtime(workspace, "cancer/2")
    listed = subprocess.run(
        [sys.executable, "-m", "luban", "models", "list", "--json", "--workspace", str(tmp_path / ".luban")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(listed.stdout)["models"][0]["model"] == "cancer/2"
