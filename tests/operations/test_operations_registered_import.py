"""Registered models of MLflow's stores come in once, with files, notes, aliases and the runs that made them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import luban
from luban.core.errors import InputError, Unsupported
from luban.core.model import Signature
from luban.core.task import Task
from luban.learners.artifact import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

BEGAN = 1_700_000_000_000
RUN = "a" * 32


def put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def version(store: Path, number: int, source: str, *, model: str = "iris", more: str = "") -> None:
    put(
        store / f"models/{model}/version-{number}/meta.yaml",
        f"name: {model}\nversion: {number}\ncreation_timestamp: {BEGAN + number}\ncurrent_stage: None\n"
        f"run_id: {RUN}\nsource: {source}\nuser_id: bob\n{more}",
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A file store with a run, and a model of the versions 1 and 3: the files of both are the run's."""
    folder = tmp_path / "mlruns"
    put(folder / "7/meta.yaml", "experiment_id: '7'\nname: trees\nlifecycle_stage: active\n")
    put(
        folder / f"7/{RUN}/meta.yaml",
        f"run_id: {RUN}\nrun_name: one\nstatus: 3\nstart_time: {BEGAN}\nend_time: {BEGAN}\nlifecycle_stage: active\n",
    )
    put(folder / f"7/{RUN}/metrics/accuracy", f"{BEGAN} 0.5 0\n")
    put(folder / f"7/{RUN}/artifacts/model/MLmodel", "flavors:\n  sklearn: {}\n")
    put(folder / f"7/{RUN}/artifacts/model/model.pkl", "pickle, never opened")
    put(folder / "models/iris/meta.yaml", "name: iris\ndescription: three kinds\n")
    put(folder / "models/iris/tags/team", "botany")
    put(folder / "models/iris/aliases/champion", "3")
    version(folder, 1, f"runs:/{RUN}/model", more="description: the first\n")
    version(folder, 3, f"file:///moved/since/7/{RUN}/artifacts/model")
    put(folder / "models/iris/version-3/tags/looked at", "yes")
    return folder


def test_versions_are_records_with_files_notes_aliases_and_runs(workspace: Workspace, store: Path) -> None:
    """Numbers stay; the files are those of the run; nothing of them is loaded; a second time adds nothing."""
    first = luban.runs.import_(str(store), workspace=workspace)
    assert (first.models, first.versions, first.aliases, first.notes) == (1, 2, 1, ())
    one, three = workspace.models.versions("iris")
    assert (one.version, three.version, three.aliases) == (1, 3, ("champion",))
    run = workspace.runs.get(str(three.run))
    assert (run.name, run.scores, three.scores) == ("one", {"accuracy": 0.5}, {"accuracy": 0.5})
    files = workspace.blobs.get_json(three.artifact)["files"]
    assert set(files) == {"MLmodel", "model.pkl"}
    assert workspace.blobs.get(files["model.pkl"]["digest"]) == b"pickle, never opened"
    with pytest.raises(Unsupported, match="never loads"):
        read_manifest(workspace.blobs, three.artifact)
    notes = {
        key: {name: value for name, (value, _) in kept.items()} for key, kept in workspace.notes.read("iris").items()
    }
    assert notes["iris", 0]["description"] == "three kinds"
    assert notes["iris", 0]["tag:team"] == "botany"
    assert notes["iris", 1]["description"] == "the first"
    assert notes["iris", 3]["tag:looked at"] == "yes"
    again = luban.runs.import_(str(store), workspace=workspace)
    assert (again.models, again.versions, again.aliases, again.files) == (0, 0, 0, 0)
    assert len(workspace.models.versions("iris")) == 2
    assert len(workspace.models.alias_history("iris")) == 1


def test_what_changed_in_the_store_follows_and_what_changed_here_stays(workspace: Workspace, store: Path) -> None:
    """A tag that is gone there goes here, a moved alias moves; an alias moved here and a deleted version stay so."""
    luban.runs.import_(str(store), workspace=workspace)
    (store / "models/iris/version-3/tags/looked at").unlink()
    put(store / "models/iris/aliases/champion", "1")
    put(store / "models/iris/aliases/old", "1")
    later = luban.runs.import_(str(store), workspace=workspace)
    assert (later.versions, later.aliases) == (0, 2)
    assert "tag:looked at" not in workspace.notes.read("iris")["iris", 3]
    workspace.models.set_alias("iris", "old", 3, reason="by hand")
    workspace.models.delete("iris/1", without=["champion"])
    last = luban.runs.import_(str(store), workspace=workspace)
    assert (last.versions, last.aliases) == (0, 0)
    assert workspace.models.get("iris@old").version == 3
    assert [one.version for one in workspace.models.versions("iris")] == [3]
    assert any("was deleted here" in note for note in last.notes)


def test_folders_of_a_store_that_are_links_to_others_are_not_read(
    workspace: Workspace, store: Path, tmp_path: Path
) -> None:
    """A store names its places itself: whoever made it could name any folder of this machine."""
    put(tmp_path / "private/key", "hidden")
    files = store / f"7/{RUN}/artifacts"
    shutil.rmtree(files)
    files.symlink_to(tmp_path / "private")
    found = luban.runs.import_(str(store), workspace=workspace)
    assert (found.files, found.versions) == (0, 0)
    assert any("private" in note for note in found.notes)
    (store / f"7/{RUN}/tags").symlink_to(tmp_path / "private")
    with pytest.raises(InputError, match="leads out of it"):
        luban.runs.import_(str(store), workspace=workspace)
    assert not any(b"hidden" in path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


@pytest.mark.long
def test_versions_that_cannot_be_kept_are_left_out_and_named(workspace: Workspace, store: Path) -> None:
    """A number that no database holds, links that lead to themselves: the other versions come in."""
    huge = 2**70
    version(store, huge, f"runs:/{RUN}/model", more=f"creation_timestamp: {BEGAN}\n")
    files = store / f"7/{RUN}/artifacts"
    for number, folder in ((4, "turning"), (5, "turning/folder")):
        version(store, number, f"runs:/{RUN}/{folder}")
    put(files / "turning/MLmodel", "flavors: {}\n")
    (files / "turning/file").symlink_to("file")
    (files / "turning/folder").symlink_to("folder")
    put(store / "8/meta.yaml", "experiment_id: '8'\nname: links\nlifecycle_stage: active\n")
    put(
        store / f"8/{'b' * 32}/meta.yaml",
        f"run_id: {'b' * 32}\nstatus: 3\nstart_time: {BEGAN}\nlifecycle_stage: active\n"
        f"artifact_uri: file://{store}/around\n",
    )
    (store / "around").symlink_to("around")
    found = luban.runs.import_(str(store), workspace=workspace)
    assert [one.version for one in workspace.models.versions("iris")] == [1, 3]
    assert (found.versions, found.aliases) == (2, 1)
    for number in (huge, 4, 5):
        assert any(note.startswith(f"iris/{number} was left out") for note in found.notes)


def test_a_number_of_more_digits_than_are_read_is_refused(workspace: Workspace, store: Path) -> None:
    put(store / "models/iris/aliases/far", "9" * 5000)
    with pytest.raises(InputError, match="points at no version"):
        luban.runs.import_(str(store), workspace=workspace)


def test_names_that_are_taken_or_cannot_be_are_changed_and_told(workspace: Workspace, store: Path) -> None:
    """A model of Luban's own gets no foreign version; a name with spaces is written as one may be here."""
    workspace.models.register(
        name="iris",
        artifact=workspace.blobs.put(b"own"),
        signature=Signature(inputs=(), outputs=()),
        task=Task(kind="binary", target="kind", inputs=(), metric="roc_auc"),
    )
    put(store / "models/two words/meta.yaml", "name: two words\n")
    version(store, 4, f"runs:/{RUN}/model", model="two words")
    said = luban.runs.import_(str(store), workspace=workspace)
    assert [one.reference for one in workspace.models.list()] == ["iris/1", "iris.mlflow/3", "two-words/4"]
    assert sum("iris.mlflow" in note or "two-words" in note for note in said.notes) == 2
    assert luban.runs.import_(str(store), workspace=workspace).versions == 0


@pytest.mark.parametrize("source", ["file://{secret}", "../secret", "runs:/{run}/../../../../secret", "s3://bucket/x"])
def test_files_that_a_version_names_elsewhere_are_not_read(
    workspace: Workspace, store: Path, tmp_path: Path, source: str
) -> None:
    """A store that names folders of this machine gets none of their files into the workspace; the version is named."""
    put(tmp_path / "secret/key", "hidden")
    version(store, 5, source.format(secret=tmp_path / "secret", run=RUN))
    said = luban.runs.import_(str(store), workspace=workspace)
    assert [one.version for one in workspace.models.versions("iris")] == [1, 3]
    assert any(note.startswith("iris/5 was left out") for note in said.notes)
    assert not any(b"hidden" in path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


_MAKES = """
import json, sys, mlflow, mlflow.pyfunc
from mlflow import MlflowClient
class Same(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str], params=None):
        return model_input
mlflow.set_tracking_uri(sys.argv[1])
client, runs = MlflowClient(), []
mlflow.set_experiment("words")
for number in range(3):
    with mlflow.start_run() as run:
        mlflow.log_metric("accuracy", number / 4)
        mlflow.pyfunc.log_model(name="model", python_model=Same(), registered_model_name="same", pip_requirements=[])
        runs.append(run.info.run_id)
client.update_registered_model("same", description="gives back")
client.update_model_version("same", "3", description="the last")
client.set_model_version_tag("same", "3", "looked at", "yes")
client.delete_model_version("same", "2")
client.set_registered_model_alias("same", "champion", "3")
client.transition_model_version_stage("same", "1", "Archived")
client.create_registered_model("empty")
print(json.dumps(runs))
"""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["database", "files"])
def test_a_store_that_mlflow_wrote_comes_in(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    """Its client wrote it: logged and registered models, a deleted version, a stage, an alias, an empty model."""
    pytest.importorskip("mlflow")
    place = tmp_path / "theirs"
    place.mkdir()
    uri = f"sqlite:///{place}/mlflow.db" if kind == "database" else f"file://{place}/mlruns"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
    made = subprocess.run(
        [sys.executable, "-c", _MAKES, uri],
        cwd=place,
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    runs = json.loads(made.stdout.splitlines()[-1])
    for times in range(2):
        said = luban.runs.import_(str(place), workspace=workspace)
        assert said.notes == ()
        assert (said.new, said.models, said.versions, said.aliases) == ((6, 2, 2, 1) if times == 0 else (0, 0, 0, 0))
    one, three = workspace.models.versions("same")
    assert (one.version, three.version, three.aliases, three.scores) == (1, 3, ("champion",), {"accuracy": 0.5})
    assert workspace.runs.tags(str(three.run))["luban.imported"]["run"] == runs[2]
    logged = workspace.runs.get(three.tags["mlflow.model_id"].removeprefix("m-"))
    assert (logged.operation, logged.parent) == ("logged model", three.run)
    assert "MLmodel" in workspace.blobs.get_json(three.artifact)["files"]
    notes = workspace.notes.read("same")
    assert notes["same", 1]["stage"][0] == "Archived"
    assert notes["same", 3]["description"][0] == "the last"
    assert notes["same", 3]["tag:looked at"][0] == "yes"
    assert ("empty", 0) in workspace.notes.read("empty")
