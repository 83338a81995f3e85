"""`luban.track` records any code: values, parameters, files, nested runs, ends, threads, forks and kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import luban
from luban.core.errors import Conflict, InputError
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.surfaces.conftest import CommandLine

    from luban.surfaces.track import Tracked


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        yield opened


@pytest.fixture
def command(request: pytest.FixtureRequest) -> CommandLine:
    """The command line, by a name that is not the package's."""
    found: CommandLine = request.getfixturevalue("luban")
    return found


def test_all_that_is_told_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "x.bin").write_bytes(b"\x00\x01")
    with luban.track("baseline", params={"rate": 0.1}, experiment="first", workspace=workspace) as run:
        run.params({"layers": [1, 2]})
        run.tags({"team": "ada"})
        for step in range(5):
            run.log({"loss": 1 / (1 + step)}, step=10 * step)
        run.log({"counted": 7.0})
        run.log({"counted": 8.0, "loss": 0.0})
        run.keep(tmp_path / "folder")
        run.keep(tmp_path / "folder" / "deep" / "x.bin", "model/x.bin")
        run.keep_json("report.json", {"a": (1, 2)})
        run.keep_text("note.txt", "ü")
        assert [one.path for one in run.kept()] == ["folder/deep/x.bin", "model/x.bin", "note.txt", "report.json"]
    found = workspace.runs.get(run.id)
    assert (found.name, found.state, found.actor, found.operation) == ("baseline", "finished", "ada", "track")
    assert found.request == {"rate": 0.1, "layers": [1, 2]}
    assert found.scores == {"loss": 0.0, "counted": 8.0}
    assert [row[:2] for row in workspace.runs.history(run.id, "counted")] == [(0, 7.0), (1, 8.0)]
    assert workspace.runs.history(run.id, "loss")[-1][:2] == (41, 0.0)
    assert workspace.runs.tags(run.id) == {"team": "ada"}
    assert workspace.experiments.get(found.experiment).name == "first"
    assert found.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found.environment["packages"]["numpy"]
    assert set(found.environment) >= {"code", "process", "command", "platform"}
    assert workspace.blobs.get_json(found.environment["records"]["environment"])["packages"]["numpy"]
    assert "state" in workspace.blobs.get_json(found.environment["records"]["code"])
    digest = workspace.artifacts.get(run.id, "report.json").digest
    assert json.loads(workspace.blobs.get(digest)) == {"a": [1, 2]}


def test_runs_nest(workspace: Workspace) -> None:
    """What is tracked inside a context is a part of it, in its experiment; another thread says whose part it is."""
    with luban.track("whole", experiment="e", workspace=workspace) as whole:
        with luban.track("part") as part, luban.track("deeper") as deeper:
            deeper.log({"x": 1})

        def work() -> Tracked:
            with luban.track("aside", parent=whole) as aside:
                return aside

        with ThreadPoolExecutor(1) as pool:
            aside = pool.submit(work).result()
    with luban.track("alone", workspace=workspace) as alone:
        pass
    parents = {run.id: workspace.runs.get(run.id).parent for run in (whole, part, deeper, aside, alone)}
    assert list(parents.values()) == [None, whole.id, part.id, whole.id, None]
    assert len({workspace.runs.get(run.id).experiment for run in (whole, part, deeper, aside)}) == 1
    assert [run.name for run in workspace.runs.list(roots=True)] == ["alone", "whole"]


def test_ends(workspace: Workspace) -> None:
    """A context that fails tells why; one that is interrupted says so; what has ended takes nothing more."""

    class Boom(Exception):
        pass

    with pytest.raises(Boom), luban.track("fails", workspace=workspace) as failed, luban.track("inner") as inner:
        raise Boom("why")
    with pytest.raises(KeyboardInterrupt), luban.track("stopped", workspace=workspace) as stopped:
        raise KeyboardInterrupt
    with luban.track("ended", workspace=workspace) as ended:
        ended.end("killed")
        with pytest.raises(Conflict, match="has ended"):
            ended.log({"x": 1})
    states = [workspace.runs.get(run.id).state for run in (failed, inner, stopped, ended)]
    assert states == ["failed", "failed", "interrupted", "killed"]
    error = workspace.runs.get(failed.id).error
    assert error is not None
    assert (error["code"], error["happened"]) == ("Boom", "why")


def test_bad_words_are_told_at_once(workspace: Workspace, tmp_path: Path) -> None:
    """What cannot be kept is refused where it is said, and the run goes on."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/etc/hostname")
    with luban.track("x", params={"rate": 1}, workspace=workspace) as run:
        with pytest.raises(InputError):
            run.log({"loss": "low"})  # type: ignore[dict-item]
        with pytest.raises(InputError):
            run.log({"": 1.0})
        with pytest.raises(Conflict):
            run.params({"rate": 2})
        for path in ("../x", "/x", "a/../../b"):
            with pytest.raises(InputError):
                run.keep_text(path, "x")
        with pytest.raises(InputError):
            run.keep(tmp_path / "in")
        with pytest.raises(InputError):
            run.keep(tmp_path / "absent")
        run.log({"loss": 1.0})
    assert workspace.runs.get(run.id).scores == {"loss": 1.0}
    with pytest.raises(InputError), luban.track("bad", tags={"": 1}, workspace=workspace):
        pass
    assert [run.state for run in workspace.runs.list() if run.name == "bad"] == ["failed"]
    with pytest.raises(Conflict, match="not begun"):
        _ = luban.track("y").id


def test_threads_lose_nothing(workspace: Workspace) -> None:
    with luban.track("threads", workspace=workspace) as run:

        def work(thread: int) -> None:
            for number in range(400):
                run.log({f"m{thread}": number, "shared": number})
            run.params({f"p{thread}": thread})
            run.tags({f"t{thread}": thread})

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
    found = workspace.runs.get(run.id)
    assert len(found.request) == len(workspace.runs.tags(run.id)) == 6
    assert [step for step, _, _ in workspace.runs.history(run.id, "shared")] == list(range(6 * 400))
    for thread in range(6):
        values = [value for _, value, _ in workspace.runs.history(run.id, f"m{thread}")]
        assert values == list(range(400))


def test_the_workspace_stays_open_from_one_run_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open it takes longer than a run. Another place, or a folder that was made anew, is another workspace."""
    opened, real = [], Workspace.open

    def counted(location: Path) -> Workspace:
        opened.append(location)
        return real(location)

    monkeypatch.setattr(Workspace, "open", counted)
    one, two = tmp_path / "one", tmp_path / "two"
    monkeypatch.setenv("LUBAN_WORKSPACE", str(one))
    for _ in range(3):
        with luban.track("first"):
            pass
    with luban.track("around"), luban.track("elsewhere", workspace=two), luban.track("back", workspace=one):
        pass
    assert opened == [one, two, one]
    shutil.rmtree(one)
    with luban.track("anew"):
        pass
    assert opened == [one, two, one, one]
    monkeypatch.undo()
    names = []
    for place in (one, two):
        with Workspace.open(place) as workspace:
            names.append([run.name for run in workspace.runs.list()])
    assert names == [["anew"], ["elsewhere"]]


@pytest.mark.long
def test_runs_that_have_ended_survive_a_kill(command: CommandLine) -> None:
    """Top-level runs one after the other, without a flush: each is whole when its context has ended, then kill -9."""
    program = """
import os, signal
import luban
for number in range(60):
    with luban.track(f"run {number}", params={"number": number}) as run:
        run.log({"loss": number / 2})
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "LUBAN_WORKSPACE": str(command.folder / ".luban")}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == -signal.SIGKILL
    with Workspace.open(command.folder / ".luban") as workspace:
        found = workspace.runs.list(descending=False)
    assert [(run.name, run.state, run.request["number"], run.scores) for run in found] == [
        (f"run {number}", "finished", number, {"loss": number / 2}) for number in range(60)
    ]


_LOGS = """
import os, sys, threading, time
import luban
beats = 0
def beat():
    global beats
    with open(sys.argv[1], "wb") as file:
        while True:
            time.sleep(0.5)
            file.write(bytes(4096)); file.flush(); os.fsync(file.fileno())
            beats += 1
with luban.track("logs") as run:
    threading.Thread(target=beat, daemon=True).start()
    print(run.id, flush=True)
    number = 0
    while True:
        run.log({"x": number}, step=number)
        print(number, beats, flush=True)
        number += 1
        time.sleep(0.0005)
"""


@pytest.mark.long
def test_a_kill_loses_the_last_second_at_most(command: CommandLine) -> None:
    """kill -9 at a random moment: of what the process had acknowledged only the last second may be missing.

    Half seconds are counted by a thread beside that does what the writer does: sleeps, and waits for the disk. So a
    machine that starves the process, or whose disk is slow, stretches them too. Of three kills the middle one counts.
    """
    lost: list[int] = []
    for turn in range(3):
        environment = {**os.environ, "LUBAN_WORKSPACE": str(command.folder / ".luban")}
        process = subprocess.Popen(
            [sys.executable, "-c", _LOGS, str(command.folder / "beats")],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        told = [0]
        while told[-1] < 3 + turn:
            told.append(int(process.stdout.readline().split()[1]))
        time.sleep(0.13 * turn)
        process.send_signal(signal.SIGKILL)
        told += [int(words[1]) for line in process.stdout if len(words := line.split()) == 2]
        told = told[1:]
        process.wait()
        with Workspace.open(command.folder / ".luban") as workspace:
            kept = [step for step, _, _ in workspace.runs.history(run, "x")]
        assert kept == list(range(len(kept))), "there is a hole in what was kept"
        assert kept, "nothing was written before the kill"
        lost.append(told[-1] - told[len(kept)] if len(kept) < len(told) else 0)
        shown = command("runs", "show", run, "--json").json
        assert shown["run"]["state"] == "killed"
    assert sorted(lost)[1] <= 2, lost


@pytest.mark.long
def test_a_fork_tracks_for_itself(command: CommandLine) -> None:
    """A forked child does not write what its parent logged, and begins runs of its own."""
    program = """
import os
import luban
with luban.track("parent") as run:
    run.log({"x": 1})
    child = os.fork()
    if child == 0:
        with luban.track("child") as own:
            own.log({"x": 2})
        os._exit(0)
    os.waitpid(child, 0)
"""
    environment = {**os.environ, "LUBAN_WORKSPACE": str(command.folder / ".luban")}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    with Workspace.open(command.folder / ".luban") as workspace:
        runs = {run.name: run for run in workspace.runs.list()}
        assert {name: (run.state, run.parent) for name, run in runs.items()} == {
            "parent": ("finished", None),
            "child": ("finished", None),
        }
        assert [len(workspace.runs.history(run.id, "x")) for run in runs.values()] == [1, 1]


@pytest.mark.long
def test_the_command_line_shows_them(command: CommandLine) -> None:
    """runs list, show, compare and artefacts show tracked runs as any others."""
    with Workspace.open(command.folder / ".luban") as workspace:
        ids = []
        for rate in (0.1, 0.2):
            with luban.track(f"rate {rate}", params={"rate": rate}, experiment="e", workspace=workspace) as run:
                run.log({"loss": rate})
                run.keep_text("out/note.txt", f"{rate}")
            ids.append(run.id)
    listed = command("runs", "list", "--experiment", "e", "--json").json["runs"]
    assert [one["name"] for one in listed] == ["rate 0.2", "rate 0.1"]
    shown = command("runs", "show", ids[0], "--json").json
    assert shown["experiment"] == "e"
    assert [one["path"] for one in shown["artefacts"]] == ["out/note.txt"]
    compared = command("runs", "compare", *ids, "--json").json
    assert compared["request"][0]["values"] == {ids[0]: 0.1, ids[1]: 0.2}
    answer = command("runs", "artefacts", ids[1], "out", "--output", "here", "--json")
    assert answer.code == 0, answer.err
    assert (command.folder / "here" / "out" / "note.txt").read_text() == "0.2"
    clash = command("runs", "artefacts", ids[0], "--output", "here")
    assert clash.code == 2
    assert "another file is there" in clash.err


def test_importing_luban_stays_light() -> None:
    """Asking for `luban.track` loads no database, no framework."""
    heavy = {"sqlalchemy", "numpy", "pyarrow", "starlette", "mlflow"}
    program = f"import sys, luban; luban.track; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
