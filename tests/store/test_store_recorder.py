"""Metrics that are logged one by one are on the disk soon, in order, and none is lost."""

from __future__ import annotations

import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_thread_writes_what_nobody_flushes(store: Path) -> None:
    """Another process sees a value without the writer ever calling flush."""
    with Workspace.open(store) as writer, Workspace.open(store) as reader:
        run = writer.runs.start("fit", {})
        writer.runs.log(run.id, {"loss": 0.5})
        until = time.monotonic() + 180
        while not reader.runs.history(run.id, "loss"):
            assert time.monotonic() < until, "nothing was written"
            time.sleep(0.05)


def test_what_is_handed_over_is_seen_at_once_and_secured_soon(
    workspace: Workspace, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was begun, logged and ended beside is read by others when `hand_over` returns; a thread secures it."""
    secured = threading.Event()
    monkeypatch.setattr(workspace._database, "secure", secured.set)
    with Workspace.open(store) as reader:
        run = workspace.runs.begin("track", {}, environment={"python": "3"})
        workspace.runs.tell(run.id, params={"rate": 0.1})
        workspace.runs.log(run.id, {"loss": 0.5})
        workspace.runs.end(run.id, "failed", error={"code": "x"})
        workspace.runs.hand_over()
        found = reader.runs.get(run.id)
        assert (found.state, found.request, found.scores) == ("failed", {"rate": 0.1}, {"loss": 0.5})
        assert (found.environment, found.error) == ({"python": "3"}, {"code": "x"})
        assert found.ended is not None
    until = time.monotonic() + 180
    while not secured.wait(0.02):
        assert time.monotonic() < until, "nobody made it last"
        workspace.runs.log(run.id, {"loss": 0.5})
        workspace.runs.hand_over()  # where the thread was quicker, it had waited for the disk itself
        workspace.runs._recorder._state.due.set()


def test_a_run_ends_in_another_batch_than_it_began_in(workspace: Workspace) -> None:
    run = workspace.runs.begin("track", {})
    workspace.runs.flush()
    assert workspace.runs.get(run.id).state == "running"
    workspace.runs.end(run.id, "finished")
    found = workspace.runs.get(run.id)
    assert (found.state, found.error) == ("finished", None)
    assert found.ended is not None


def test_only_what_asks_for_it_is_written_without_waiting_for_the_disk(workspace: Workspace) -> None:
    """The mode belongs to a transaction, though connections are used again."""
    sqlite = workspace.store == "sqlite"
    asked = "PRAGMA synchronous" if sqlite else "SHOW synchronous_commit"
    found = []
    for soon in (False, True, False, True, True, False):
        with workspace._database.writing(soon=soon) as connection:
            found.append(str(connection.exec_driver_sql(asked).scalar()))
    quick, full = ("1", "2") if sqlite else ("off", "on")
    assert found == [full, quick, full, quick, quick, full]


def test_to_secure_is_to_wait_for_the_log(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """In SQLite the log is given to the disk, and where there is none all is there already."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    workspace.runs.begin("track", {})
    workspace.runs.hand_over()
    workspace._database.secure()
    if workspace.store == "sqlite":
        assert (workspace.root / "luban.db-wal").stat().st_ino in synced
    workspace._database.close()
    workspace._database.secure()


def test_threads_lose_nothing(workspace: Workspace) -> None:
    """Many threads log at once while others flush; every value arrives, each thread's in its order."""
    run = workspace.runs.start("fit", {})

    def work(thread: int) -> None:
        for number in range(500):
            workspace.runs.log(run.id, {f"metric {thread}": float(number)})
            if number % 100 == 0:
                workspace.runs.flush()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    for thread in range(6):
        values = [value for _, value, _ in workspace.runs.history(run.id, f"metric {thread}")]
        assert values == [float(number) for number in range(500)]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rows=some.lists(
        some.tuples(
            some.sampled_from(["loss", "精度", "a b/c"]),
            some.integers(-(2**63) + 1, 2**63 - 1) | some.integers(0, 3),
            some.floats(width=64),
        ),
        max_size=30,
    ),
    cut=some.integers(0, 30),
)
def test_history_is_what_was_logged(workspace: Workspace, rows: list[tuple[str, int, float]], cut: int) -> None:
    """By either way of logging: a history is the values sorted by step, stably; a score the last of these."""
    run = workspace.runs.start("fit", {})
    workspace.runs.log_many(run.id, rows[:cut])
    for metric, step, value in rows[cut:]:
        workspace.runs.log(run.id, {metric: value}, step=step)
    scores = workspace.runs.get(run.id).scores
    for metric in {row[0] for row in rows}:
        expected = sorted(((step, value) for name, step, value in rows if name == metric), key=lambda pair: pair[0])
        found = [(step, _plain(value)) for step, value, _ in workspace.runs.history(run.id, metric)]
        assert list(map(repr, found)) == list(map(repr, [(step, _plain(value)) for step, value in expected]))
        assert repr(_plain(scores[metric])) == repr(_plain(expected[-1][1]))


def _plain(value: float) -> float:
    """The signs of NaN and of zero are not kept."""
    return math.nan if math.isnan(value) else value + 0.0


def test_identifiers_sort_by_start(workspace: Workspace) -> None:
    """Runs of one process sort by their start, however quickly they follow each other."""
    ids = [workspace.runs.start("trial", {}).id for _ in range(50)]
    assert ids == sorted(set(ids))
    assert [run.id for run in workspace.runs.list(limit=100, descending=False)] == ids
