"""Experiments, parameters, kept files and the search of runs, on both databases."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from luban.core.errors import Conflict, InputError, LubanError, NotFound, Refused
from luban.core.run import Run
from luban.store.artifacts import Artifact, valid_path
from luban.store.clock import run_id_of
from luban.store.processes import is_gone, this_process
from luban.store.run_search import Clause, Order

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace


def test_runs_are_found_by_all_that_was_logged(workspace: Workspace) -> None:
    """Metrics, parameters (told later or called with), tags, names and states; missing ones last; deleted ones not."""
    ids = []
    for number in range(6):
        run = workspace.runs.start("track", {"called": number}, name=f"Run {number}", params={"depth": str(number % 3)})
        workspace.runs.write(
            run.id, rows=[("loss", 0, number / 10), ("loss", 1, 1 - number / 10)], tags={"Team": "Ada"}
        )
        ids.append(run.id)
    workspace.runs.start("track", {}, name="empty")
    workspace.runs.finish(ids[0], "failed")
    workspace.runs.delete(ids[5])

    def found(*clauses: Clause, order: tuple[Order, ...] = ()) -> list[str]:
        return [run.name for run in workspace.runs.search(clauses, order)]

    assert found(Clause(kind="metric", key="loss", sign="<", value=0.8)) == ["Run 4", "Run 3"]
    assert found(Clause(kind="param", key="depth", sign="=", value="2")) == ["Run 2"]
    assert found(Clause(kind="param", key="called", sign="IN", value=["1", "4"])) == ["Run 4", "Run 1"]
    assert found(Clause(kind="tag", key="Team", sign="LIKE", value="A%")) == [f"Run {n}" for n in (4, 3, 2, 1, 0)]
    assert found(Clause(kind="tag", key="Team", sign="LIKE", value="a%")) == []
    assert len(found(Clause(kind="tag", key="Team", sign="ILIKE", value="a_a"))) == 5
    assert found(Clause(kind="tag", key="Team", sign="IS NULL")) == ["empty"]
    assert found(Clause(kind="attribute", key="state", sign="=", value="failed")) == ["Run 0"]
    assert found(order=(Order(kind="metric", key="loss"),)) == ["Run 4", "Run 3", "Run 2", "Run 1", "Run 0", "empty"]
    assert [run.name for run in workspace.runs.search(deleted=True)] == ["Run 5"]
    assert len(workspace.runs.search(limit=2, offset=5)) == 1
    assert workspace.runs.get(ids[1]).request == {"called": 1, "depth": "1"}
    assert "Run 5" not in {run.name for run in workspace.runs.list()}
    with pytest.raises(InputError, match="searched by 'weight'"):
        workspace.runs.search([Clause(kind="attribute", key="weight", sign="=", value=1)])


def test_what_the_thread_writes_is_what_a_write_would_be(workspace: Workspace) -> None:
    """Begins, parameters, tags, files, values and ends that are queued arrive, in the order of a run's life."""
    digest = workspace.blobs.put(b"x")
    ids = []
    with workspace._database.writing():  # so that all of it waits for one turn
        whole = workspace.runs.begin("track", {}, name="whole", environment={"a": [1]})
        for number in range(5):
            run = workspace.runs.begin("track", {}, parent=whole.id, name=f"part {number}", experiment=7)
            workspace.runs.tell(run.id, params={"n": number, "n2": None}, tags={"t": "old"})
            workspace.runs.log(run.id, {"loss": number / 2}, step=3)
            kept = Artifact(path="a/b", digest=digest, bytes=1)
            workspace.runs.tell(run.id, tags={"t": {"new": number}}, kept=[kept, kept])
            workspace.runs.end(run.id, "failed" if number else "finished", error={"code": "x"} if number else None)
            ids.append(run.id)
    workspace.runs.flush()
    for number, id in enumerate(ids):  # noqa: A001
        found = workspace.runs.get(id)
        assert (found.parent, found.experiment, found.request) == (whole.id, 7, {"n": number, "n2": None})
        assert (found.state, found.error) == (("failed", {"code": "x"}) if number else ("finished", None))
        assert found.ended is not None
        assert found.scores == {"loss": number / 2}
        assert workspace.runs.tags(id) == {"t": {"new": number}}
        assert [one.path for one in workspace.artifacts.list(id)] == ["a/b"]
    assert workspace.runs.get(whole.id).environment == {"a": [1]}


def test_a_write_is_whole_or_not_at_all(workspace: Workspace) -> None:
    """A parameter that has another value already keeps values and tags of the same call out too."""
    run = workspace.runs.start("track", {}, params={"rate": 0.1})
    with pytest.raises(Conflict, match="rate"):
        workspace.runs.write(run.id, rows=[("loss", 0, 1.0)], params={"new": 1, "rate": 0.2}, tags={"a": "b"})
    assert workspace.runs.get(run.id).scores == {}
    assert workspace.runs.get(run.id).request == {"rate": 0.1}
    assert workspace.runs.tags(run.id) == {}
    workspace.runs.write(run.id, params={"rate": 0.1})


def test_experiments_group_runs(workspace: Workspace) -> None:
    made = workspace.experiments.create("första 实验", {"a": "b"})
    assert [one.name for one in workspace.experiments.list()] == ["Default", "första 实验"]
    assert workspace.experiments.find("första 实验") == made
    with pytest.raises(Conflict):
        workspace.experiments.create("första 实验")
    with pytest.raises(Conflict):
        workspace.experiments.create("Default")
    workspace.experiments.set_tags(0, {"of": "default"})
    workspace.experiments.set_tags(made.id, {"a": None, "c": "d"})
    assert workspace.experiments.get(0).tags == {"of": "default"}
    assert workspace.experiments.get(made.id).tags == {"c": "d"}
    before, with_it = (workspace.runs.start("track", {}, experiment=made.id) for _ in range(2))
    workspace.runs.delete(before.id)
    workspace.experiments.delete(made.id)
    assert workspace.runs.search(experiments=[made.id]) == []
    with pytest.raises(Conflict):
        workspace.experiments.find("första 实验")
    workspace.experiments.restore(made.id)
    assert [run.id for run in workspace.runs.search(experiments=[made.id])] == [with_it.id]
    workspace.experiments.rename(made.id, "zweite")
    assert workspace.experiments.named("zweite").id == made.id
    with pytest.raises(Refused):
        workspace.experiments.delete(0)
    with pytest.raises(NotFound):
        workspace.experiments.get(999)


def test_kept_files_are_content_by_path(workspace: Workspace, tmp_path: Path) -> None:
    run = workspace.runs.start("track", {})
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "deep" / "b.txt").write_text("bb")
    workspace.artifacts.put_folder(run.id, "model", tmp_path / "in")
    workspace.artifacts.put(run.id, "modelling", b"ccc")
    assert [one.path for one in workspace.artifacts.list(run.id, "model")] == ["model/a.txt", "model/deep/b.txt"]
    kept = workspace.artifacts.get(run.id, "model/deep/b.txt")
    assert workspace.blobs.get(kept.digest) == b"bb"
    assert workspace.artifacts.remove(run.id, "model") == 2
    assert [one.path for one in workspace.artifacts.list(run.id)] == ["modelling"]
    (tmp_path / "in" / "leak").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="leads out"):
        workspace.artifacts.put_folder(run.id, "x", tmp_path / "in")


@given(
    some.text(max_size=30) | some.sampled_from(["../x", "a/../b", "/etc/passwd", "a\\b", "C:/x", "%2e%2e/x", "a//b"])
)
def test_a_path_that_is_taken_stays_below_its_folder(path: str) -> None:
    """Whatever is taken as the path of a kept file names a file inside a folder, read literally or percent-decoded."""
    try:
        plain = valid_path(path)
    except InputError:
        return
    parts = PurePosixPath(plain).parts
    assert "/".join(parts) == plain
    assert ".." not in parts
    assert not plain.startswith("/")
    assert "\\" not in plain
    assert plain.isprintable()


ELSEWHERE = (
    "",
    ".",
    "..",
    "a/..",
    "../a",
    "/a",
    "a/",
    "a//b",
    "a\\..\\b",
    "%2E%2e/a",
    "a%2fb",
    "C:/a",
    "a\x00b",
    "a\nb",
)


@pytest.mark.parametrize("path", [*ELSEWHERE, "x" * 1001])
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(LubanError):
        valid_path(path)


def test_runs_of_processes_that_are_gone_are_killed(workspace: Workspace) -> None:
    """A run whose process has ended is settled; those of living processes and of other machines are left alone."""
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    here = this_process()
    gone = {**here, "number": ended.pid, "began": 1}
    again = {**here, "began": here["began"] + 1} if here["began"] else gone  # the number was given to another process
    runs = {
        name: workspace.runs.start("track", {}, environment={"process": process})
        for name, process in {
            "gone": gone,
            "again": again,
            "boot": {**here, "boot": "another"},
            "here": here,
            "elsewhere": {**gone, "host": "another"},
        }.items()
    }
    runs["unknown"] = workspace.runs.start("fit", {})
    assert sorted(workspace.runs.settle()) == sorted(runs[name].id for name in ("gone", "again", "boot"))
    states = {name: workspace.runs.get(run.id).state for name, run in runs.items()}
    assert states == {"gone": "killed", "again": "killed", "boot": "killed", "here": "running", "elsewhere": "running",
                      "unknown": "running"}  # fmt: skip
    assert not is_gone({**here, "number": os.getpid()})


def test_a_run_that_is_put_again_is_as_it_was_put(workspace: Workspace) -> None:
    """What another tool kept replaces all that was known of the identifier."""
    began = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
    run = Run(id=run_id_of(began, "x"), operation="track", request={}, state="finished", started=began, ended=began)
    assert run.id == run_id_of(began, "x")
    assert run.id != run_id_of(began, "y")
    for loss in (1.0, 2.0):
        workspace.runs.put(run, rows=[("loss", 0, loss), ("nan", 0, math.nan)], params={"a": loss}, tags={"t": loss})
    found = workspace.runs.get(run.id)
    assert found.scores["loss"] == 2.0
    assert math.isnan(found.scores["nan"])
    assert found.request == {"a": 2.0}
    assert [value for _, value, _ in workspace.runs.history(run.id, "loss")] == [2.0]
    newer = workspace.runs.start("track", {})
    assert [one.id for one in workspace.runs.list()] == [newer.id, run.id]


def test_many_values_at_once_are_the_same_as_few(workspace: Workspace) -> None:
    """From some hundred values on PostgreSQL takes them as a stream: names of any printable sign, NaN and infinity."""
    name = 'back\\slash \\t \\N, "é" 学'
    run = workspace.runs.start("work", {})
    rows = [(name, step, step * 0.5) for step in range(500)]
    rows += [("odd", 0, math.nan), ("odd", 1, math.inf), ("odd", 2, -math.inf)]
    workspace.runs.log_many(run.id, rows)
    found = workspace.runs.history(run.id, name)
    assert [(step, value) for step, value, _ in found] == [(step, step * 0.5) for step in range(500)]
    odd = [value for _, value, _ in workspace.runs.history(run.id, "odd")]
    assert math.isnan(odd[0])
    assert odd[1:] == [math.inf, -math.inf]
    assert workspace.runs.get(run.id).scores["odd"] == -math.inf
