"""What is measured, one function a figure; each returns figures by name."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

import luban
from luban.store.audit import append
from luban.store.runs import Ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.store import Workspace


def log_one(workspace: Workspace, *, calls: int = 50_000) -> dict[str, float]:
    """Time single calls of ``runs.log`` while the background thread writes them, in microseconds."""
    run = workspace.runs.start("benchmark", {})
    taken = []
    for step in range(calls):
        begin = time.perf_counter_ns()
        workspace.runs.log(run.id, {"loss": 1.0 / (1 + step)}, step=step)
        taken.append(time.perf_counter_ns() - begin)
        if step % 100 == 0:
            time.sleep(0.001)  # a training loop does something else too
    begin = time.perf_counter()
    workspace.runs.flush()
    left = time.perf_counter() - begin
    if len(workspace.runs.history(run.id, "loss")) != calls:
        raise AssertionError("values were lost")
    taken.sort()
    return {
        "log_p50_us": statistics.median(taken) / 1e3,
        "log_p99_us": taken[int(0.99 * calls)] / 1e3,
        "last_flush_ms": left * 1e3,
    }


def track_one(workspace: Workspace, *, calls: int = 50_000) -> dict[str, float]:
    """Time single calls of ``luban.track(...).log`` while the thread writes them, in microseconds."""
    taken = []
    with luban.track("one", workspace=workspace) as run:
        for step in range(calls):
            begin = time.perf_counter_ns()
            run.log({"loss": 1.0 / (1 + step)}, step=step)
            taken.append(time.perf_counter_ns() - begin)
            if step % 100 == 0:
                time.sleep(0.001)  # a training loop does something else too
    if len(workspace.runs.history(run.id, "loss")) != calls:
        raise AssertionError("values were lost")
    taken.sort()
    return {"track_p50_us": statistics.median(taken) / 1e3, "track_p99_us": taken[int(0.99 * calls)] / 1e3}


def track_runs(workspace: Workspace, *, runs: int = 5000) -> dict[str, float]:
    """Count runs a second of nested ``luban.track``, each with a parameter and a value, till all is on the disk."""
    begin = time.perf_counter()
    with luban.track("whole", workspace=workspace) as whole:
        for number in range(runs):
            with luban.track(f"run {number}", params={"number": number}) as run:
                run.log({"loss": 0.5})
    seconds = time.perf_counter() - begin
    if workspace.runs.count(parent=whole.id, state="finished") != runs:
        raise AssertionError("runs were lost")
    return {"track_runs_per_s": runs / seconds}


def track_alone(workspace: Workspace, *, runs: int = 3000) -> dict[str, float]:
    """Count runs a second that are part of none, one after the other, each with a parameter and a value."""
    before = workspace.runs.count(roots=True, state="finished")
    place = workspace.root
    with luban.track("warm", workspace=place):
        pass
    begin = time.perf_counter()
    for number in range(runs):
        with luban.track(f"run {number}", params={"number": number}, workspace=place) as run:
            run.log({"loss": 0.5})
    seconds = time.perf_counter() - begin
    if workspace.runs.count(roots=True, state="finished") != before + 1 + runs:
        raise AssertionError("runs were lost")
    return {"track_alone_per_s": runs / seconds}


def log_batches(workspace: Workspace, *, rows: int = 500_000, batch: int = 10_000) -> dict[str, float]:
    """Count rows a second of ``runs.log_many``, each batch on the disk before the next begins."""
    run = workspace.runs.start("benchmark", {})
    begin = time.perf_counter()
    for start in range(0, rows, batch):
        workspace.runs.log_many(run.id, [(f"metric {row % 10}", row, row * 0.5) for row in range(start, start + batch)])
    seconds = time.perf_counter() - begin
    return {"log_many_rows_per_s": rows / seconds, "log_many_batch_ms": seconds / (rows / batch) * 1e3}


def fill(workspace: Workspace, *, runs: int = 10_000, metrics: int = 50, alone: int = 1000) -> dict[str, float]:
    """Write the runs that `pages` reads; of the first count runs a second, each write of theirs durable."""
    chance = random.Random(7)
    begin = time.perf_counter()
    for number in range(alone):
        run = workspace.runs.start("fit", {"number": number, "data": "adult", "budget": 60})
        workspace.runs.log_many(run.id, [(f"metric {index}", 0, chance.random()) for index in range(metrics)])
        workspace.runs.finish(run.id, "finished")
    seconds = time.perf_counter() - begin
    for first in range(alone, runs, 500):
        ended = [
            Ended(
                request={"number": number, "data": "adult", "budget": 60},
                state="finished",
                scores={f"metric {index}": chance.random() for index in range(metrics)},
            )
            for number in range(first, min(runs, first + 500))
        ]
        workspace.runs.record("fit", ended)
    return {"runs_per_s": alone / seconds}


def pages(workspace: Workspace, *, repeats: int = 15) -> dict[str, float]:
    """Time pages of 100 runs, filtered by two metrics and sorted by a third, with all their scores (p50, ms)."""

    def first() -> int:
        where = [("metric 3", ">", 0.5), ("metric 4", "<=", 0.5)]
        return len(workspace.runs.list(operation="fit", where=where, order_by="metric 7"))

    def deep() -> int:
        return len(
            workspace.runs.list(operation="fit", where=[("metric 3", ">", 0.5)], order_by="metric 7", offset=4000)
        )

    def whole() -> int:
        return len(workspace.runs.list(order_by="metric 7"))

    def newest() -> int:
        return len(workspace.runs.list(limit=100))

    return {
        "page_filtered_sorted_ms": _p50(first, repeats),
        "page_filtered_sorted_offset_4000_ms": _p50(deep, repeats),
        "page_sorted_ms": _p50(whole, repeats),
        "page_newest_ms": _p50(newest, repeats),
    }


def _p50(call: Callable[[], int], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        if call() != 100:
            raise AssertionError("a page has 100 runs")
        taken.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(taken)


def audit_chain(workspace: Workspace, *, entries: int = 100_000) -> dict[str, float]:
    """Time `Audit.verify` of a chain, and the look at its end that a server takes to see whether anything moved."""
    left = entries - workspace.audit.head()[0]
    with workspace._database.writing() as connection:  # in one transaction: writing them is not timed
        for place in range(left):
            detail = {"alias": "champion", "before": place, "after": place + 1, "reason": "better on March"}
            append(connection, "ada", "model.alias", f"model/churn{place % 50}", detail)
    taken = []
    for _ in range(3):
        begin = time.perf_counter()
        if workspace.audit.verify() < entries:
            raise AssertionError("entries were lost")
        taken.append(time.perf_counter() - begin)
    begin = time.process_time()
    for _ in range(500):
        workspace.audit.head()
    return {"audit_verify_s": statistics.median(taken), "audit_head_cpu_ms": (time.process_time() - begin) * 2}
