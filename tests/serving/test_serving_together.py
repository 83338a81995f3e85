"""What the workers of one server do together: they judge canaries by the counts of all, and rates hold for all."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_deployments import deployment_server, load, register

from luban.serving.access.buckets import Buckets
from luban.serving.arms import Arm, Arms
from luban.serving.rollout import Tally
from luban.serving.trials import Seen, Trials
from luban.serving.workers.exchange import Exchange, Link, Missing
from luban.store import Workspace
from waiting import children, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and needs a kernel that shares sockets out")

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
CANARY, CHAMPION = "small/3", "small/6"
NEEDED = 12  # failures, at a share of a half, beside a champion that never fails


# --- trials ---------------------------------------------------------------------------------------


def seen(failed: int, began: int = 7, requests: int = 40, **more: Any) -> Seen:
    counts = {"failed": {CANARY: Tally(requests=requests, events=failed), CHAMPION: Tally(requests=requests)}}
    return Seen(deployment="shop", began=began, traffic={CHAMPION: 0.5, CANARY: 0.5}, counts=counts, **more)


def test_counts_of_several_processes_are_one_evidence() -> None:
    """Of three that saw four failures each none has enough; together they have, and whoever has not heard is told."""
    trials = Trials()
    trials.add(seen(4))
    trials.add(seen(4))
    assert trials.verdicts() == []
    trials.add(seen(4))
    (verdict,) = trials.verdicts()
    assert (verdict.deployment, verdict.began, verdict.canary) == ("shop", 7, CANARY)
    assert verdict.why.startswith("12 of 120 requests failed")
    assert trials.verdicts() == []
    trials.add(seen(0))
    assert trials.verdicts() == [verdict]


def test_a_trial_begins_anew_and_what_comes_late_counts_for_nothing() -> None:
    """The same traffic tried again is another trial, and counts of the one before are not its."""
    trials = Trials()
    trials.add(seen(11, began=7))
    trials.add(seen(1, began=9))
    trials.add(seen(40, began=7))
    assert trials.verdicts() == []
    trials.add(seen(11, began=9))
    assert [one.began for one in trials.verdicts()] == [9]


def test_labels_are_read_by_all_and_counted_once() -> None:
    trials = Trials()
    wrong = {CANARY: Tally(requests=40, events=20), CHAMPION: Tally(requests=40)}
    few = {CANARY: Tally(requests=10, events=4), CHAMPION: Tally(requests=10)}
    for reading in (few, few, few, few):
        trials.add(seen(0, requests=0, wrong=reading))
    assert trials.verdicts() == []
    trials.add(seen(0, requests=0, wrong=wrong))
    (verdict,) = trials.verdicts()
    assert verdict.why.startswith("20 of 40 labelled predictions were wrong")


# --- rates ----------------------------------------------------------------------------------------


@given(
    workers=st.integers(1, 4),
    rate=st.floats(0.1, 50.0),
    delay=st.floats(0.0, 3.0),
    asked=st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 3)), max_size=80),
)
def test_rates_hold_for_all_workers(workers: int, rate: float, delay: float, asked: list[tuple[float, int]]) -> None:
    """However requests fall to workers that hear of each other after a delay, a rate and a bucket each is the most."""
    clock = [0.0]
    buckets = [Buckets(rate, clock=lambda: clock[0]) for _ in range(workers)]
    for one in buckets:
        one.share()
    on_the_way: list[tuple[float, int, dict[str, tuple[int, float]]]] = []
    taken = 0
    for wait, who in asked:
        clock[0] += wait
        for due in [one for one in on_the_way if one[0] <= clock[0]]:
            on_the_way.remove(due)
            buckets[due[1]].pay(due[2])
        mine = who % workers
        taken += buckets[mine].take("x") == 0
        told = buckets[mine].taken()
        on_the_way += [(clock[0] + delay, other, told) for other in range(workers) if told and other != mine]
        full = max(1.0, rate)
        assert taken <= workers * full + rate * (clock[0] + (workers - 1) * delay) + 1e-6


def test_who_takes_from_the_other_worker_waits_as_long_as_from_one() -> None:
    """What others took is owed: the bucket is below nothing, and says for how long."""
    clock = [0.0]
    one = Buckets(2.0, clock=lambda: clock[0])
    assert [one.take("x") for _ in range(2)] == [0.0, 0.0]
    one.pay({"x": (2, 2.0)})
    assert one.take("x") == one.wait("x") == pytest.approx(1.5)
    assert one.take("y") == 0.0
    clock[0] = 1.5
    assert one.take("x") == 0.0


def test_a_new_worker_is_told_what_is_missing() -> None:
    clock = [0.0]
    missing = Missing(clock=lambda: clock[0], most=2)
    missing.add({"token": {"a": (3, 0.5), "b": (1, 1.0)}})
    clock[0] = 2.0
    missing.add({"token": {"a": (1, 0.5)}})
    assert missing.now() == {"token": {"a": (3.0, 0.5)}}
    missing.add({"address": {"c": (1, 1.0)}})
    assert missing.now() == {"token": {"a": (3.0, 0.5)}, "address": {"c": (1, 1.0)}}
    clock[0] = 100.0
    assert missing.now() == {}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_worker_that_does_not_read_is_not_waited_for_and_learns_the_sum(pipe: tuple[int, int]) -> None:
    """The parent goes on while a pipe is full, and nothing of what is owed is lost or told twice."""
    reading, writing = pipe
    exchange, stuck, other = Exchange(), Link(writing), Link(os.open(os.devnull, os.O_WRONLY))
    keys = {f"somebody {number}": (1, 2.0) for number in range(500)}
    for _ in range(50):
        other.told.append({"taken": {"token": keys}})
        exchange.turn([stuck, other])
    os.set_blocking(reading, False)
    got = b""
    for _ in range(1000):
        exchange.turn([stuck, other])
        try:
            got += os.read(reading, 65536)
        except BlockingIOError:
            break
    total: dict[str, float] = {}
    for line in got.splitlines():
        for key, (count, _) in json.loads(line)["taken"]["token"].items():
            total[key] = total.get(key, 0) + count
    assert total == dict.fromkeys(keys, 50)


# --- servers --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with a deployment of which half the rows go to a version that fails on one row in twenty."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {CHAMPION: 0.5, CANARY: 0.5})
    return tmp_path / ".luban"


def post(url: str, path: str, row: dict[str, Any]) -> int:
    """Return the status of an answer, asked on a connection of its own: the kernel chooses a worker for each.

    A worker that was killed meanwhile is no answer: 0.
    """
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=180)
    try:
        connection.request("POST", path, json.dumps({"rows": [row]}), {"Content-Type": "application/json"})
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Asking:
    """Asks for rows of which it is known who answers them."""

    def __init__(self, url: str) -> None:
        self._url = url
        runtime = load("small/1")
        champion, canary = Arm(runtime=runtime), Arm(runtime=runtime, name="canary")
        arms = Arms(answering=(champion, canary), shares=(0.5, 0.5))
        rows = [{**ROW, "age": 20 + number / 100} for number in range(4000)]
        bad = [row for row in rows if round(row["age"] * 100) % 20 == 5]
        good = [row for row in rows if round(row["age"] * 100) % 20 != 5]
        self.bad = [row for row in bad if arms.arm(arms.key(row)) is canary]
        self.good = [row for row in good if arms.arm(arms.key(row)) is canary]
        self.champions = [row for row in good if arms.arm(arms.key(row)) is champion]

    def ask(self, row: dict[str, Any]) -> int:
        return post(self._url, "/models/shop/predict", row)

    def all_well(self, count: int = 60) -> None:
        """Ask for so many rows that the canary answers, and for more that the champion does.

        More, because a canary that has seen more than its share of the requests needs more failures.
        """
        for number in range(count):
            assert self.ask(self.good[number]) == 200
        for number in range(count + 2 * NEEDED):
            assert self.ask(self.champions[number]) == 200

    def fail(self, times: int) -> None:
        """Let the canary fail so many times."""
        assert [self.ask(self.bad[number]) for number in range(times)] == [500] * times

    def nobody_fails(self) -> bool:
        """Whether all workers, of which this finds any with near certainty, give its rows to the champion."""
        return all(self.ask(self.bad[number]) == 200 for number in range(40))


def rollbacks(workspace: Workspace) -> list[str]:
    reasons = [str(one.detail["reason"]) for one in workspace.deployments.history("shop")]
    return [one for one in reasons if one.startswith("automatic rollback")]


@pytest.mark.long
@linux
def test_a_canary_is_rolled_back_once_by_the_evidence_of_all_workers(folder: Path) -> None:
    """Twelve failures are enough wherever they happened: no worker has seen as many; then no worker asks it again."""
    with Workspace.open(folder, actor="ada") as workspace, deployment_server(folder, "--workers", "3", "shop") as found:
        asking = Asking(found[1])
        asking.all_well()
        asking.fail(NEEDED)
        until(lambda: workspace.deployments.get("shop").traffic == {CHAMPION: 1.0})
        until(asking.nobody_fails)
        (reason,) = rollbacks(workspace)
        assert f"{NEEDED} of {60 + NEEDED} requests failed with {CANARY}" in reason
        workspace.deployments.set("shop", {CHAMPION: 0.5, CANARY: 0.5})  # tried again, it is judged anew
        until(lambda: asking.ask(asking.bad[0]) == 500)
        asking.all_well(20)
        assert workspace.deployments.get("shop").canaries == (CANARY,)


@pytest.mark.long
@linux
def test_what_killed_workers_have_told_counts_and_their_successors_join(folder: Path) -> None:
    """All workers are killed after eleven failures; as many more, of which alone none is enough, end the canary."""
    with (
        Workspace.open(folder, actor="ada") as workspace,
        deployment_server(folder, "--workers", "3", "shop") as (process, url),
    ):
        asking = Asking(url)
        asking.all_well()
        asking.fail(NEEDED - 1)
        time.sleep(1.0)  # what was not told by then is lost, and ten may be
        before = children(process.pid)
        for child in before:
            os.kill(child, signal.SIGKILL)
        until(lambda: len(now := children(process.pid)) == 3 and not {*before} & {*now})
        for number in range(NEEDED - 1):
            if workspace.deployments.get("shop").traffic == {CHAMPION: 1.0}:
                break
            assert asking.ask(asking.bad[number]) in (200, 500)
        until(lambda: workspace.deployments.get("shop").traffic == {CHAMPION: 1.0})
        until(asking.nobody_fails)
        assert len(rollbacks(workspace)) == 1


@pytest.mark.long
@linux
def test_a_rate_is_that_of_the_whole_server(tmp_path: Path) -> None:
    """Three workers let through one rate and three full buckets at most, and not three rates."""
    rate, seconds = 10, 6.0
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {"small/1": 1.0})
    with deployment_server(tmp_path / ".luban", "--workers", "3", "shop", LUBAN_TEST_RATE=str(rate)) as (_, url):
        codes: list[int] = []
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            codes.append(post(url, "/models/shop/predict", ROW))
        took = time.monotonic() - began
        assert set(codes) <= {200, 429}
        alone, apart = rate * took + rate, 3 * (rate * took + rate)
        assert codes.count(200) < (alone + apart) / 2, "which is what it is where they hear of each other after seconds"
        until(lambda: post(url, "/models/shop/predict", ROW) == 200)  # what is owed is paid off
