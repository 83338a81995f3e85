"""The judgement behind automatic rollback, how rows find their arms, and a log that cannot be written."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_deployments import load

from luban.core.errors import InputError, Unavailable
from luban.core.model import Deployment
from luban.serving.answers import Answer
from luban.serving.arms import Arm, Arms
from luban.serving.asker import Asker
from luban.serving.counting import Counting
from luban.serving.log.writer import LogWriter
from luban.serving.models import Models
from luban.serving.observation import Observation
from luban.serving.rollout import Tally, Trial, judge, without
from luban.serving.routed import merged
from luban.serving.row_key import row_key, row_keys
from luban.serving.sequential import evidence
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.serving.runtime import Runtime

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return load("small/1").named("shop")


# --- the test -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_canary_like_the_champion_is_hardly_ever_accused(share: float) -> None:
    """Looking after every one of 2,000 events, at most 1 of 1,000 tests raises a false alarm (here: 5 allowed)."""
    generator = np.random.default_rng(1)
    alarms = 0
    for _ in range(1000):
        canary = np.cumsum(generator.random(400) < share)
        champion = np.arange(1, 401) - canary
        alarms += any(
            evidence(int(a), int(b), share) > math.log(1000) for a, b in zip(canary[::4], champion[::4], strict=True)
        )
    assert alarms <= 5


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.01, 0.99))
def test_evidence_grows_with_the_canarys_events_and_falls_with_the_champions(a: int, b: int, share: float) -> None:
    assert evidence(a + 1, b, share) >= evidence(a, b, share)
    assert evidence(a, b + 1, share) <= evidence(a, b, share)


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.001, 0.999))
def test_the_evidence_is_a_martingale(canary: int, champion: int, share: float) -> None:
    """After one more event, which falls to the canary with its share, it is on average what it was."""
    now = evidence(canary, champion, share)
    after = share * math.exp(evidence(canary + 1, champion, share) - now)
    after += (1 - share) * math.exp(evidence(canary, champion + 1, share) - now)
    assert after == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
def test_evidence_of_arms_alike_has_mean_one_after_any_number_of_events(share: float) -> None:
    """Computed, not drawn: summed over every way in which so many events can fall to the two arms."""
    for events in (1, 3, 10, 60):
        mean = sum(
            math.comb(events, canary)
            * share**canary
            * (1 - share) ** (events - canary)
            * math.exp(evidence(canary, events - canary, share))
            for canary in range(events + 1)
        )
        assert mean == pytest.approx(1.0, rel=1e-9)


def test_three_failures_of_a_canary_suffice_where_the_champion_has_none() -> None:
    """At a share of 5 %; two do not, nor three where the champion has failed too."""
    champion = Tally(requests=1900)
    assert judge("failed", Tally(requests=100, events=3), champion, 0.05)
    assert not judge("failed", Tally(requests=100, events=2), champion, 0.05)
    assert not judge("failed", Tally(requests=100, events=3), Tally(requests=1900, events=1), 0.05)


@pytest.mark.parametrize(
    ("canary", "champion", "expected"),
    [
        (Tally(requests=200, events=10), Tally(requests=3800, events=0), True),
        (Tally(requests=20, events=20), Tally(requests=380, events=0), False),  # too few requests
        (Tally(requests=200_000, events=1000), Tally(requests=3_800_000, events=10_000), False),  # too small to matter
        (Tally(requests=200, events=10), Tally(requests=3800, events=190), False),  # both fail alike
        (Tally(requests=40, events=8), Tally(), True),  # all rows go to the canary
    ],
)
def test_judgement(canary: Tally, champion: Tally, expected: bool) -> None:
    assert judge("failed", canary, champion, 0.05) is expected


def test_slow_answers_are_compared_among_requests_of_like_size(runtime: Runtime) -> None:
    """A canary that is asked for many rows at once is not slow; one that takes five times as long is."""
    deployment = Deployment(name="shop", traffic={"small/1": 0.5, "small/2": 0.5})
    champion = Arm(runtime=runtime, model="small/1", deployment=deployment)
    canary = replace(champion, name="canary", model="small/2")

    def seen(arm: Arm, rows: int, seconds: float) -> Observation:
        asked = [ROW] * rows if rows > 1 else ROW
        return Observation(arm, "id", 0, asked, {"prediction": "low"}, seconds, None, None, None, None, seconds)

    trial, counting = Trial(deployment=deployment), Counting()
    alike = [seen(champion, 1, 0.01)] * 10 + [seen(champion, 1000, 0.5)] * 2 + [seen(canary, 1000, 0.5)] * 10
    for _ in range(30):
        trial.add(counting.note(alike))
    assert trial.worse() is None
    for _ in range(30):
        trial.add(counting.note([seen(champion, 1, 0.01)] * 5 + [seen(canary, 1, 0.05)] * 5))
    worse = trial.worse()
    assert worse is not None
    assert worse[0] == "small/2"
    assert "slower" in worse[1]


def test_traffic_without_a_canary_is_the_champions() -> None:
    deployment = Deployment(name="shop", traffic={"a/1": 0.7, "a/2": 0.2, "a/3": 0.1})
    assert without(deployment, "a/2") == pytest.approx({"a/1": 0.9, "a/3": 0.1})
    assert next(iter(without(deployment, "a/2"))) == "a/1"


# --- rows and arms --------------------------------------------------------------------------------


def test_a_row_has_one_key_however_it_is_written(runtime: Runtime) -> None:
    columns = runtime.signature.inputs
    key = row_key(ROW, columns)
    shuffled = {"note": "hello", "extra": 1, **ROW, "age": "60", "member": "no"}
    assert row_key(dict(reversed(shuffled.items())), columns) == key
    assert row_keys(pa.Table.from_pylist([ROW, {**ROW, "age": 61.0}]), columns)[0] == key
    assert row_keys([ROW], columns) == [key]
    missing = dict.fromkeys(ROW)
    assert row_key(missing, columns) == row_key({}, columns) == row_keys(pa.Table.from_pylist([missing]), columns)[0]
    assert len({row_key({**ROW, "age": age}, columns) for age in range(100)}) == 100
    with pytest.raises(InputError):
        row_key({**ROW, "age": "old"}, columns)


def test_a_greater_share_keeps_the_rows_a_canary_has(runtime: Runtime) -> None:
    """Going from 5 % to 20 % moves rows to the canary and none away from it."""
    champion, canary = Arm(runtime=runtime), Arm(runtime=runtime, name="canary")
    keys = [row_key({**ROW, "age": age}, runtime.signature.inputs) for age in range(2000)]
    taken = [
        {key for key in keys if Arms(answering=(champion, canary), shares=(1 - share, share)).arm(key) is canary}
        for share in (0.05, 0.2, 0.6)
    ]
    assert [len(one) / 2000 for one in taken] == pytest.approx([0.05, 0.2, 0.6], abs=0.03)
    assert taken[0] < taken[1] < taken[2]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_answers_of_several_arms_come_back_in_order(arms: list[int]) -> None:
    parts = []
    for arm in sorted(set(arms)):
        places = [place for place, one in enumerate(arms) if one == arm]
        values = np.array(places, dtype=float)
        wide = np.column_stack([values] * (arm + 1))  # words of different lengths
        parts.append((places, Answer(outputs={"prediction": values, "probability": wide})))
    found = merged(parts).outputs
    assert found["prediction"].tolist() == list(range(len(arms)))
    assert found["probability"][:, 0].tolist() == list(range(len(arms)))


def test_the_models_fault_is_observed_and_the_requests_is_not() -> None:
    """A row that fails is an event against the model; one that cannot be read is not."""
    failing, seen = load("small/3"), []  # type: ignore[var-annotated]
    deployment = Deployment(name="small", traffic={"small/3": 1.0})
    arms = Arms(answering=(Arm(runtime=failing, model="small/3", deployment=deployment),))
    models = Models(served={"small": {"3": arms}})
    models.observer = seen.append

    def ask(row: dict[str, Any], version: str | None = None, **about: Any) -> None:
        asyncio.run(models.routed("small", version, Asker(**about)).answer(row, 1, "error"))

    with pytest.raises(ZeroDivisionError):
        ask({**ROW, "age": 20.05})
    with pytest.raises(InputError):
        ask({"age": 20})
    ask({**ROW, "age": 20.0}, "3", subject="bob")
    assert [(type(one.error), one.subject) for one in seen] == [(ZeroDivisionError, None), (type(None), "bob")]
    models.close()


# --- the log --------------------------------------------------------------------------------------


def _observations(runtime: Runtime, count: int) -> list[Observation]:
    arm = Arm(runtime=runtime, model="small/1", deployment=Deployment(name="shop", traffic={"small/1": 1.0}))
    found = runtime.predict_row(ROW)
    return [Observation(arm, str(n), n, ROW, found, 0.001, None, None, None, None, 0.001) for n in range(count)]


def test_the_log_waits_within_bounds_and_catches_up(runtime: Runtime) -> None:
    """While the store fails (a disk without room, say) rows wait; what is too much is dropped, and counted."""
    stored: list[pa.Table] = []
    full = True

    def append(table: pa.Table, _contents: Mapping[str, bytes]) -> None:
        if full:
            raise Unavailable("the disk is full, so nothing more was written")
        stored.append(table)

    events: list[str] = []
    seen = _observations(runtime, 100)
    log = LogWriter(append, tell=lambda event, **_: events.append(event), bound=60 * seen[0].size())
    log.put(seen[:40])
    until(lambda: events == ["log-waits"])
    log.put(seen[40:])
    assert log.waiting <= 60 * seen[0].size()
    assert log.counts() == {("shop", "dropped"): 40}
    full = False
    until(lambda: log.counts().get(("shop", "stored")) == 60)
    assert log.waiting == 0
    log.close()
    assert events == ["log-waits", "log-works"]
    ids: list[Any] = pa.concat_tables(stored)["request_id"].to_pylist()
    assert ids == [str(number) for number in range(60)]


def test_to_put_into_the_log_never_waits_for_the_store(runtime: Runtime) -> None:
    """While a write hangs rows are taken."""
    began, released = threading.Event(), threading.Event()

    def hangs(_table: pa.Table, _contents: Mapping[str, bytes]) -> None:
        began.set()
        assert released.wait(180)

    log = LogWriter(hangs)
    seen = _observations(runtime, 10)
    log.put(seen)
    assert began.wait(180)
    for _ in range(100):
        log.put(seen)
    released.set()  # only now: had it waited for the store, it would wait still
    log.close()
    assert log.counts() == {("shop", "stored"): 1010}
