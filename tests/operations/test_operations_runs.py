"""Runs come in from MLflow's stores, and leave as event files and offline runs; nothing is lost or doubled."""

from __future__ import annotations

import json
import math
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

import luban
from luban.core import plugins
from luban.core.errors import InputError, MissingExtra, NotFound
from luban.testing.run_exporter import check_run_exporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.store import Workspace

BEGAN = 1_700_000_000_000


def file_store(folder: Path) -> Path:
    """Write a store as MLflow's file store does: two runs, one the other's part, a deleted one, a logged model."""

    def put(path: str, content: str) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)

    put("0/meta.yaml", "experiment_id: '0'\nname: Default\nlifecycle_stage: active\n")
    put("7/meta.yaml", "experiment_id: '7'\nname: trees\nlifecycle_stage: active\n")
    put("models/theirs/meta.yaml", "name: theirs\n")
    for number, run in enumerate(("a" * 32, "b" * 32, "c" * 32)):
        stage = "deleted" if run[0] == "c" else "active"
        end = f"{BEGAN + 5000}" if number != 1 else "null"
        put(
            f"7/{run}/meta.yaml",
            f"run_id: {run}\nrun_name: run {number}\nstatus: {3 if number != 1 else 4}\nstart_time: {BEGAN + number}\n"
            f"end_time: {end}\nlifecycle_stage: {stage}\nuser_id: bob\nartifact_uri: file:///etc\n",
        )
        put(f"7/{run}/metrics/val/loss", f"{BEGAN} 0.5 0\n{BEGAN + 1} nan 1\n{BEGAN + 2} 0.25 2\n")
        put(f"7/{run}/params/rate", "0.1")
        put(f"7/{run}/tags/mlflow.runName", f"run {number}")
        put(f"7/{run}/artifacts/model/MLmodel", f"flavors {number}")
    put(f"7/{'b' * 32}/tags/mlflow.parentRunId", "a" * 32)
    put(
        "7/models/m-1/meta.yaml",
        f"model_id: m-1\nname: model\nsource_run_id: {'a' * 32}\nstatus: 2\ncreation_timestamp: {BEGAN}\n"
        f"last_updated_timestamp: {BEGAN}\nartifact_location: file:///x\n",
    )
    put("7/models/m-1/artifacts/MLmodel", "flavors")
    return folder


def test_a_file_store_is_imported_once(workspace: Workspace, tmp_path: Path) -> None:
    """Runs, parts, histories, parameters, tags, files and deletions; again nothing; after a change only that."""
    store = file_store(tmp_path / "mlruns")
    first = luban.runs.import_(str(store), workspace=workspace)
    assert (first.new, first.changed, first.same, first.values, first.files) == (4, 0, 0, 9, 4)
    assert first.notes == ()
    experiment = workspace.experiments.named("trees").id
    runs = {run.name: run for run in workspace.runs.search(experiments=[experiment], deleted=None)}
    assert set(runs) == {"run 0", "run 1", "run 2", "model"}
    assert runs["run 1"].parent == runs["model"].parent == runs["run 0"].id
    assert [runs[f"run {number}"].state for number in range(3)] == ["finished", "failed", "finished"]
    assert runs["run 2"].deleted is not None
    assert runs["run 0"].request == {"rate": "0.1"}
    assert (runs["run 0"].actor, runs["run 0"].started.timestamp()) == ("bob", BEGAN / 1000)
    history = workspace.runs.history(runs["run 0"].id, "val/loss")
    assert [row[0] for row in history] == [0, 1, 2]
    assert math.isnan(history[1][1])
    assert history[2][1:] == (0.25, datetime.fromtimestamp((BEGAN + 2) / 1000, history[2][2].tzinfo))
    kept = workspace.artifacts.get(runs["run 1"].id, "model/MLmodel")
    assert workspace.blobs.get(kept.digest) == b"flavors 1"
    again = luban.runs.import_(str(store), workspace=workspace)
    assert (again.new, again.changed, again.same) == (0, 0, 4)
    with (store / "7" / ("a" * 32) / "metrics" / "val" / "loss").open("a") as file:
        file.write(f"{BEGAN + 3} 0.1 3\n")
    later = luban.runs.import_(str(tmp_path), workspace=workspace)
    assert (later.new, later.changed, later.same) == (0, 1, 3)
    assert workspace.runs.get(runs["run 0"].id).scores == {"val/loss": 0.1}
    assert [run.name for run in workspace.runs.list(parent=runs["run 0"].id, descending=False)] == ["model", "run 1"]


def test_what_a_store_names_elsewhere_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    """A store that names folders of this machine, or links to them, gets none of their files into the workspace."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("hidden")
    database = tmp_path / "theirs" / "mlflow.db"
    database.parent.mkdir()
    with sqlite3.connect(database) as connection:
        connection.executescript(_TABLES)
        elsewhere = (f"file://{secret}", "../secret", "mlflow-artifacts:/../../secret", "s3://bucket/x", "here")
        for number, uri in enumerate(elsewhere):
            row = (f"r{number}", f"run {number}", BEGAN + number, BEGAN + 9, uri)
            connection.execute("INSERT INTO runs VALUES (?, ?, 'FINISHED', ?, ?, 'active', ?, 1, 'bob')", row)
        connection.execute("INSERT INTO metrics VALUES ('loss', 0, 3, 1, ?, 'r0')", (BEGAN,))
        connection.execute("INSERT INTO metrics VALUES ('loss', 0.5, 4, 0, ?, 'r0')", (BEGAN,))
        connection.execute("INSERT INTO params VALUES ('rate', '0.1', 'r0')")
    here = tmp_path / "theirs" / "here"
    here.mkdir()
    (here / "link").symlink_to(secret / "key")
    before = database.read_bytes()
    result = luban.runs.import_(str(database), workspace=workspace)
    assert database.read_bytes() == before
    assert (result.new, result.values, result.files) == (5, 2, 0)
    assert len(result.notes) == 5
    runs = {run.name: run for run in workspace.runs.search()}
    assert runs["run 0"].request == {"rate": "0.1"}
    assert runs["run 0"].scores == {"loss": 0.5}
    assert all(not workspace.artifacts.list(run.id) for run in runs.values())
    assert not any(b"hidden" in path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
INSERT INTO experiments VALUES (1, 'theirs', '', 'active');
CREATE TABLE runs (run_uuid TEXT, name TEXT, status TEXT, start_time INT, end_time INT, lifecycle_stage TEXT,
                   artifact_uri TEXT, experiment_id INT, user_id TEXT);
CREATE TABLE metrics (key TEXT, value REAL, step INT, is_nan INT, timestamp INT, run_uuid TEXT);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
"""


def test_what_is_no_store_is_told(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database")
    (tmp_path / "folder").mkdir()
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE runs (x)")
    broken = file_store(tmp_path / "broken")
    (broken / "7" / ("a" * 32) / "metrics" / "val" / "loss").write_text("soon low\n")
    for location in ("text", "folder", "other.db", "broken"):
        with pytest.raises(InputError):
            luban.runs.import_(str(tmp_path / location), workspace=workspace)
    with pytest.raises(NotFound):
        luban.runs.import_(str(tmp_path / "absent"), workspace=workspace)


@pytest.fixture
def tracked(workspace: Workspace) -> str:
    """A run with a part, values that are no numbers, two values at one step, and a file."""
    with luban.track("whole run", params={"rate": 0.1, "deep": True, "kind": "tree"}, workspace=workspace) as run:
        for step in (0, 1, 1, 5):
            run.log({"loss": 1 / (1 + step), "nan": math.nan}, step=step)
        run.keep_text("a/note.txt", "hello")
        with luban.track("part") as part:
            part.log({"accuracy": 0.75})
    return run.id


def test_event_files_hold_what_was_logged(workspace: Workspace, tracked: str, tmp_path: Path) -> None:
    """TensorBoard's own reader finds every value at its step, and the parameters."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result = luban.runs.export(tracked, output=tmp_path / "tb", to="tensorboard", workspace=workspace)
    assert (result.details["runs"], result.details["values"]) == (2, 9)
    whole = accumulator.EventAccumulator(str(tmp_path / "tb"), purge_orphaned_data=False).Reload()
    assert sorted(whole.Tags()["scalars"]) == ["loss", "nan"]
    read = [(one.step, one.value) for one in whole.Scalars("loss")]
    assert read == [(0, 1.0), (1, 0.5), (1, 0.5), (5, pytest.approx(1 / 6))]
    moments = [moment.timestamp() for _, _, moment in workspace.runs.history(tracked, "loss")]
    assert [one.wall_time for one in whole.Scalars("loss")] == pytest.approx(moments)
    assert all(math.isnan(one.value) for one in whole.Scalars("nan"))
    parameters = whole.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"rate" in parameters
    assert b"tree" in parameters
    (part,) = (path for path in (tmp_path / "tb").iterdir() if path.is_dir())
    assert part.name.startswith("part-")
    read = accumulator.EventAccumulator(str(part)).Reload()
    assert [one.value for one in read.Scalars("accuracy")] == [0.75]


def records(content: bytes) -> Iterator[bytes]:
    """Yield the messages of an offline file: a head of 7 bytes, then LevelDB's log format in blocks of 32 KiB."""
    place, whole = 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole message, or the last piece of one
            yield whole
            whole = b""


@pytest.mark.long
def test_offline_runs_hold_what_was_logged(workspace: Workspace, tracked: str, tmp_path: Path) -> None:
    """The offline file has every value at its step, the parameters and the file, read by W&B's own messages."""
    wandb_internal_pb2 = pytest.importorskip("wandb.proto.wandb_internal_pb2")

    luban.runs.export(tracked, output=tmp_path / "wb", to="wandb", workspace=workspace)
    (file,) = (tmp_path / "wb").glob(f"wandb/offline-run-*-{tracked}/run-{tracked}.wandb")
    rows, config = [], {}
    for data in records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("history"):
            items = {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.history.item}
            rows.append({key: items[key] for key in ("step", "loss") if key in items})
        for update in [*record.config.update, *record.run.config.update]:
            config[update.key] = json.loads(update.value_json)
    assert [(row["step"], row["loss"]) for row in rows] == [(0, 1.0), (1, 0.5), (1, 0.5), (5, 1 / 6)]
    assert (config["rate"], config["deep"], config["kind"]) == (0.1, True, "tree")
    assert (file.parent / "files" / "a" / "note.txt").read_text() == "hello"
    assert len(list((tmp_path / "wb").glob("wandb/offline-run-*"))) == 2


@pytest.mark.parametrize("name", ["tensorboard", pytest.param("wandb", marks=pytest.mark.long)])
def test_exporters_conform(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name)
    assert check_run_exporter(plugins.create("run_exporters", name), tmp_path)["runs"] == 2


def test_exporters_are_plug_ins(
    workspace: Workspace, tracked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form that nobody provides is told with the ones there are; a missing package says what to install."""
    with pytest.raises(NotFound, match="no run_exporter is named 'tensorbord'"):
        luban.runs.export(tracked, output=tmp_path / "x", to="tensorbord", workspace=workspace)
    import sys

    monkeypatch.delitem(sys.modules, "luban.export.runs.wandb", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match=r"luban\[wandb\]"):
        luban.runs.export(tracked, output=tmp_path / "x", to="wandb", workspace=workspace)


def test_runs_are_sorted_by_a_metric_that_there_is(workspace: Workspace) -> None:
    """A metric that no run has is refused with the nearest names; before, the order was silently another one."""
    for value in (0.5, 0.75):
        with luban.track("one", workspace=workspace) as run:
            run.log({"accuracy": value})
    listed = luban.runs.list(order_by="accuracy", workspace=workspace)
    assert [run.scores["accuracy"] for run in listed.runs] == [0.75, 0.5]
    assert len(luban.runs.list(order_by="ended", workspace=workspace).runs) == 2
    with pytest.raises(NotFound, match=r"no metric is named 'acuracy'\. Did you mean: accuracy\?"):
        luban.runs.list(order_by="acuracy", workspace=workspace)
