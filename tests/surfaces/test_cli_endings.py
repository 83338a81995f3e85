"""However a command ends: standard output holds one JSON object or the result, and the exit code tells which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.surfaces.conftest import CommandLine


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["fit", "--taget", "y"], "bad-input"),
        (["fit", "--seed", "x"], "bad-input"),
        (["models", "show"], "bad-input"),
        (["models", "shw"], "not-found"),
        (["fitt"], "not-found"),
        (["models", "show", "nothing"], "not-found"),
        (["runs", "list", "--limit", "-1"], "bad-input"),
        (["evaluate", "m", "x.csv", "--html", "no/such/page.html"], "bad-input"),
    ],
)
def test_every_error_is_one_json_object_and_one_line(luban: CommandLine, arguments: list[str], code: str) -> None:
    answer = luban(*arguments, "--json")
    assert answer.code == 2
    assert answer.json["error"]["code"] == code
    assert set(answer.json["error"]) == {"code", "happened", "seen", "remedy"}
    assert len([line for line in answer.err.splitlines() if line.startswith("error: ")]) == 1
    assert not (luban.folder / ".luban").exists(), "an error leaves no workspace behind"


@pytest.mark.long
def test_numbers_that_are_none_are_told_in_our_words(luban: CommandLine) -> None:
    for given in ("two", "-1", "1.5"):
        answer = luban("fit", "rows.csv", "-t", "y", "--rounds", given)
        assert f"rounds must be a whole number from 0; seen: '{given}'." in answer.err
    assert "See what it takes with --help." in luban("fit", "rows.csv", "-t").err


@pytest.mark.long
def test_help_tells_defaults_as_they_are_written(luban: CommandLine) -> None:
    told = " ".join(luban("updates", "set", "--help").out.replace("│", " ").split())
    for default in ("(default: 1h)", "(default: 7d)", "(default: drift)", "(default: 25%)", "--labels <int>"):
        assert default in told


def test_wrong_verb_gets_the_right_one(luban: CommandLine) -> None:
    assert "Did you mean: fit" in luban("fitt").err
    assert "Did you mean: import" in luban("data", "impot").err


def test_group_without_a_verb_shows_its_help(luban: CommandLine) -> None:
    for words in ([], ["data"], ["models"]):
        answer = luban(*words)
        assert answer.code == 0
        assert "Commands" in answer.out


def test_what_libraries_print_does_not_reach_standard_output(luban: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import builtins, os\n"
        "import luban.core.operation as module\n"
        "call = module.Operation.__call__\n"
        "def noisy(self, *a, **o):\n"
        "    print('printed by Python')\n"
        "    os.write(1, b'printed by a native library\\n')\n"
        "    return call(self, *a, **o)\n"
        "module.Operation.__call__ = noisy\n"
    )
    answer = luban("models", "list", "--json", PYTHONPATH=str(tmp_path))
    assert answer.json == {"models": []}
    assert "printed by Python" in answer.err
    assert "printed by a native library" in answer.err


def test_what_runs_in_the_background_of_a_script_ends_when_asked(tmp_path: Path) -> None:
    """There a shell lets Ctrl-C be ignored; SIGTERM must not be."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, time\n"
        "import luban.core.operation as module\n"
        "def call(self, *a, **o):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(5)\n"
        "module.Operation.__call__ = call\n"
    )
    script = f"{sys.executable} -m luban models list & wait $!"
    done = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "LUBAN_WORKSPACE": str(tmp_path / ".luban"), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 130
    assert "nterrupted" in done.stderr


def test_defect_is_told_with_exit_code_1(luban: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import luban.core.operation as module\nmodule.Operation.__call__ = lambda self, *a, **o: 1 / 0\n"
    )
    answer = luban("models", "list", "--json", PYTHONPATH=str(tmp_path))
    assert answer.code == 1
    assert answer.json["error"]["code"] == "defect"
    assert "ZeroDivisionError" in answer.err
    assert "Traceback" not in answer.err
    assert "Traceback" in luban("models", "list", PYTHONPATH=str(tmp_path), LUBAN_TRACEBACK="1").err


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="this system has no full device")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_output_that_is_full_is_told_once(luban: CommandLine, options: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device, not a file
        done = subprocess.run(
            [sys.executable, "-m", "luban", "models", "list", *options],
            cwd=luban.folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_reader_that_has_seen_enough_is_no_error(fitted: CommandLine) -> None:
    command = f"{sys.executable} -m luban runs list --json | head -c 5"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=fitted.folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def _unread(folder: Path, *arguments: str, files: tuple[str, ...]) -> tuple[int, str, str]:
    """Run a command whose files lead to a pipe that nobody reads; return its code, standard output and error."""
    reading, writing = os.pipe()
    os.close(reading)
    given = {one: writing if one in files else subprocess.PIPE for one in ("stdout", "stderr")}
    environment = {**os.environ, "LUBAN_WORKSPACE": str(folder / ".luban")}
    command = [sys.executable, "-m", "luban", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, text=True, check=False, **given)  # type: ignore[call-overload]
    finally:
        os.close(writing)
    return done.returncode, done.stdout or "", done.stderr or ""


@pytest.mark.long
@pytest.mark.parametrize("command", ["--help", "--version", "models list", "models list --json"])
def test_whatever_writes_ends_quietly_when_nobody_reads(tmp_path: Path, command: str) -> None:
    assert _unread(tmp_path, *command.split(), files=("stdout",)) == (0, "", "")
    assert _unread(tmp_path, *command.split(), files=("stdout", "stderr")) == (0, "", "")


@pytest.mark.long
def test_an_error_that_nobody_reads_keeps_its_code(tmp_path: Path) -> None:
    code, _, told = _unread(tmp_path, "models", "show", "x", "--json", files=("stdout",))
    assert (code, told.count("\n"), told[:7]) == (2, 1, "error: ")
    code, told, _ = _unread(tmp_path, "models", "show", "x", "--json", files=("stderr",))
    assert (code, json.loads(told)["error"]["code"]) == (2, "not-found")
    assert _unread(tmp_path, "models", "show", "x", files=("stderr",)) == (2, "", "")


@pytest.mark.long
def test_progress_that_nobody_reads_ends_no_work(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{one},{one % 3}\n" for one in range(90)))
    code, told, _ = _unread(tmp_path, "data", "import", "rows.csv", "--json", files=("stderr",))
    assert (code, json.loads(told)["dataset"]) == (0, "rows/1")


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_files_are_no_error_and_become_no_other_file(tmp_path: Path, closed: str) -> None:
    """What is printed must not go into the database that would else get the number of standard output."""
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{one},{one % 3}\n" for one in range(90)))
    for words, code in (
        ("data import rows.csv", 0),
        ("data list", 0),
        ("--help", 0),
        ("--version", 0),
        ("data lst", 2),
    ):
        command = f"{sys.executable} -m luban {words} {closed}"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert "Traceback" not in done.stderr
    with Workspace.open(tmp_path / ".luban") as workspace:
        assert [one.reference for one in workspace.datasets.list()] == ["rows/1"]


@pytest.mark.long
def test_a_connection_of_the_work_that_breaks_is_no_quiet_end(luban: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import luban.core.operation as module\n"
        "def call(self, *a, **o):\n"
        "    raise BrokenPipeError(32, 'Broken pipe')\n"
        "module.Operation.__call__ = call\n"
    )
    answer = luban("models", "list", PYTHONPATH=str(tmp_path))
    assert answer.code == 2
    assert "the operating system refused; seen: [Errno 32] Broken pipe" in answer.err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("luban f", "fit"),
        ("luban data im", "import"),
        ("luban fit --me", "--metric"),
        ("luban models show --wo", "--workspace"),
    ],
)
def test_shell_completes_verbs_and_options(luban: CommandLine, words: str, found: str) -> None:
    asked = {"_LUBAN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    answer = luban(**asked)
    assert found in answer.out.split(), answer.err
    # The shell is named, not looked for among the processes above: there may be none that typer knows.
    named = luban("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_LUBAN_COMPLETE" in named.out, named.err


def test_fit_is_readable_at_80_columns(luban: CommandLine) -> None:
    lines = ["年龄,所在城市,是否流失"]
    lines += [f"{20 + i % 50},{'北京' if i % 3 else '上海'},{'是' if i % 50 > 25 else '否'}" for i in range(120)]
    (luban.folder / "客户.csv").write_text("\n".join(lines) + "\n")
    answer = luban("fit", "客户.csv", "-t", "是否流失", "--rounds", "2", "--learners", "linear,constant", COLUMNS="80")
    from rich.cells import cell_len

    assert answer.code == 0, answer.err
    assert max(map(cell_len, answer.out.splitlines())) <= 80
    assert "客户/1" in answer.out
    for learner in ("linear", "constant"):
        assert learner in answer.out
    assert "luban predict 客户 FILE -o predictions.parquet" in answer.out
    run = luban("runs", "list", "--json").json["runs"][0]["id"]
    assert run in luban("runs", "list", COLUMNS="80").out, "an identifier can be copied whole"


def test_an_update_that_was_refused_ends_with_a_code_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its result is written all the same; a script tells it from one that was promoted, and from an error."""
    from luban.core import plugins
    from luban.operations.update import Updated, Watched
    from luban.surfaces import afresh, invoking

    monkeypatch.setattr(afresh, "begin", lambda _understood: None)
    for kind, outcome, code in ((Updated, "promoted", 0), (Updated, "refused", 3), (Watched, "refused", 0)):
        done = kind(subject="m", model="m/1", outcome=outcome, reason="")  # type: ignore[arg-type]
        monkeypatch.setattr(invoking, "call", lambda *_given, done=done: done)
        try:
            invoking.invoke(plugins.load("operations", "update"), {}, tmp_path / ".luban", None, as_json=True)
            ended = 0
        except SystemExit as exit_:
            ended = exit_.code
        assert (ended, json.loads(capfd.readouterr().out)["outcome"]) == (code, outcome)
