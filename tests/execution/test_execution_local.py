"""Worker processes: what happens to them when jobs crash, hang, or their parent dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from luban.core.errors import Conflict
from luban.core.protocols import Event, Job
from luban.execution.local import LocalExecutor
from luban.execution.resources import resources

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
LONG = 240.0  # seconds that nothing here takes unless it is broken


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    monkeypatch.syspath_prepend(str(HERE))
    with LocalExecutor(threads=1) as one:
        yield one


def job(function: str, deadline: float | None = None, **arguments: Any) -> Job:
    return Job(function=f"execution_jobs:{function}", arguments=arguments, deadline=deadline)


def outcome(executor: LocalExecutor, work: Job) -> Event:
    number = executor.submit(work)
    return [event for event in executor.events(LONG) if event.job == number][-1]


def alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent's attention does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("function", "words"),
    [("segfault", "SIGSEGV"), ("killed_by_the_system", "memory ran out"), ("leave", "exit code 7")],
)
def test_a_crash_is_told_in_words_and_the_worker_replaced(executor: LocalExecutor, function: str, words: str) -> None:
    event = outcome(executor, job(function))
    assert event.kind == "failed"
    assert words in event.value["error"]
    assert outcome(executor, job("who")).kind == "finished"


def test_workers_stay_warm_and_are_their_own_session(executor: LocalExecutor) -> None:
    first, second = outcome(executor, job("who")).value, outcome(executor, job("who")).value
    assert first["pid"] == second["pid"] != os.getpid()
    assert first["session"]
    assert first["threads"] == "1"


def test_a_job_that_holds_the_interpreter_is_killed_at_its_deadline(executor: LocalExecutor) -> None:
    before = outcome(executor, job("who")).value["pid"]
    event = outcome(executor, job("hold_the_interpreter", deadline=time.monotonic() + 0.3, seconds=600))
    assert (event.kind, event.value["error"]) == ("killed", "the job was not done at its deadline")
    assert gone(before)


def test_a_job_that_waits_past_its_deadline_is_killed_too(executor: LocalExecutor) -> None:
    busy = executor.submit(job("hold_the_interpreter", deadline=time.monotonic() + 0.6, seconds=600))
    waiting = executor.submit(job("who", deadline=time.monotonic() + 0.1))
    kinds = {event.job: event.kind for event in executor.events(LONG)}
    assert kinds == {busy: "killed", waiting: "killed"}


def test_descendants_die_with_a_killed_worker(executor: LocalExecutor) -> None:
    number = executor.submit(job("with_a_child"))
    child = 0
    for event in executor.events(LONG):
        if event.kind == "progress":
            child = event.value
            assert alive(child)
            executor.cancel(number)
    assert gone(child)


def test_warmed_modules_are_there(executor: LocalExecutor) -> None:
    executor.warm("wave", "no_such_module_anywhere")
    until = time.monotonic() + LONG
    while not outcome(executor, job("who")).value["wave"]:
        assert time.monotonic() < until, "the module was never imported"
        time.sleep(0.02)


def test_large_orders_and_loud_workers_do_not_jam(executor: LocalExecutor) -> None:
    assert outcome(executor, job("echo", text="x" * 3_000_000)).value == 3_000_000
    assert outcome(executor, job("chatter")).value == "done"


def test_a_job_cannot_eat_orders_by_reading_input(executor: LocalExecutor) -> None:
    assert outcome(executor, job("read_input")).value == ""


def test_not_a_number_comes_back_as_null(executor: LocalExecutor) -> None:
    assert outcome(executor, job("bad_result")).value is None


def test_close_kills_workers_and_refuses_jobs(executor: LocalExecutor) -> None:
    worker = outcome(executor, job("who")).value["pid"]
    executor.submit(job("hold_the_interpreter", seconds=600))
    executor.close()
    assert gone(worker)
    with pytest.raises(Conflict):
        executor.submit(job("who"))


def test_the_machine_is_used_and_not_oversubscribed() -> None:
    with LocalExecutor.of_this_machine() as one:
        assert 1 <= one.workers * one.threads <= max(1, resources().cpus)


PARENT = """
import sys, time
sys.path.insert(0, {here!r})
from luban.core.protocols import Job
from luban.execution.local import LocalExecutor
executor = LocalExecutor(threads=1)
executor.submit(Job(function="execution_jobs:who"))
print([event for event in executor.events()][-1].value["pid"], flush=True)
executor.submit(Job(function="execution_jobs:{function}", arguments={arguments}))
for event in executor.events():
    print("progress", flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_die_with_their_parent_even_in_a_c_call(how: signal.Signals) -> None:
    script = PARENT.format(here=str(HERE), function="hold_the_interpreter", arguments={"seconds": 600})
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert parent.stdout.readline() == "progress\n"
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    assert gone(worker)


def test_interrupt_reaches_the_parent_alone(executor: LocalExecutor) -> None:
    """Ctrl-C goes to the whole foreground group of a terminal; a worker is in another."""
    script = PARENT.format(here=str(HERE), function="hold_the_interpreter", arguments={"seconds": 600}).replace(
        'for event in executor.events():\n    print("progress", flush=True)',
        "try:\n    for event in executor.events():\n        print('progress', flush=True)\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n    time.sleep(600)",
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert parent.stdout.readline() == "progress\n"
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.stdout.readline() == "interrupted\n"
    assert alive(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(worker)
