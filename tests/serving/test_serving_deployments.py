"""Deployments behind real servers: swaps under load, canaries taken back, shadows, the prediction log, faults."""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa
import pytest
from served_deployments import deployment_server, load, register

import servers
from luban.core.errors import Conflict, NotFound, Unavailable
from luban.store import Workspace
from luban.store.predictions import COLUMNS
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with the versions of a model and a deployment of the first."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as workspace:
        register(workspace)
        workspace.deployments.set("shop", {"small/1": 1.0})
    return tmp_path / ".luban"


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder, actor="ada") as opened:
        yield opened


def ask(client: httpx.Client, number: int = 0, name: str = "shop", **more: Any) -> httpx.Response:
    row = {**ROW, "age": 20 + number / 100}
    return client.post(f"/models/{name}/predict", json={"rows": [row], **more})


class Load:
    """Clients that ask without pause; what they saw is counted by status code and by version."""

    def __init__(self, url: str, clients: int = 4, name: str = "shop") -> None:
        self.codes: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self.by_row: dict[int, set[str]] = {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(url, name, start)) for start in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def asked(self) -> int:
        return sum(self.codes.values())

    def _run(self, url: str, name: str, start: int) -> None:
        with httpx.Client(base_url=url, timeout=180) as client:
            number = start
            while not self._stop.is_set():
                try:
                    answer = ask(client, number % 4000, name)
                except httpx.TransportError:
                    self.codes[0] += 1
                    return
                self.codes[answer.status_code] += 1
                if answer.status_code == 200:
                    version = answer.json()["model"]
                    self.versions[version] += 1
                    self.by_row.setdefault(number % 4000, set()).add(version)
                number += 7


# --- following the store --------------------------------------------------------------------------


def test_a_swap_under_load_fails_no_request(folder: Path, workspace: Workspace) -> None:
    """Aliases and deployments move to and fro while clients ask: all are answered, by the old version or the new."""
    workspace.models.set_alias("small", "live", 1)
    with deployment_server(folder, "small@live", "shop") as (_, url), Load(url, 2, "small") as one, Load(url, 2) as two:
        for version in (2, 1, 2):
            workspace.models.set_alias("small", "live", version)
            workspace.deployments.set("shop", {f"small/{version}": 1.0})
            before = one.versions[f"small/{version}"], two.versions[f"small/{version}"]
            until(
                lambda version=version, before=before: (
                    one.versions[f"small/{version}"] > before[0] and two.versions[f"small/{version}"] > before[1]
                )
            )
    assert set(one.codes) == set(two.codes) == {200}


def test_a_version_that_cannot_be_loaded_never_takes_over(folder: Path, workspace: Workspace) -> None:
    """The old version answers on, and a version that loads is followed again."""
    from luban.serving.watch import Watch

    def broken(reference: str) -> Any:
        if reference == "small/2":
            raise Conflict("it cannot be loaded")
        return load(reference)

    events: list[str] = []
    watch = Watch(workspace, ["shop"], broken, tell=lambda event, **_: events.append(event))
    watch.begin()
    for version, expected in ((2, 1), (3, 3)):
        workspace.deployments.set("shop", {f"small/{version}": 1.0})
        watch.look()
        (arms,) = watch.served["shop"].values()
        assert arms.champion.runtime.version == expected
    assert events == ["watch-failed", "swapped"]


@pytest.mark.long
@pytest.mark.parametrize("error", [Conflict("it cannot be loaded"), ZeroDivisionError("a defect of a learner")])
def test_what_cannot_be_loaded_keeps_nothing_else_from_being_followed(workspace: Workspace, error: Exception) -> None:
    """It answers as before, or not at all where it never did; it is told once, and tried again at each change."""
    from luban.serving.watch import Watch

    broken, tried, events = {"small/2"}, [], []

    def loading(reference: str) -> Any:
        tried.append(reference)
        if reference in broken:
            raise error
        return load(reference)

    def answering() -> dict[str, int]:
        return {name: next(iter(arms.values())).champion.runtime.version for name, arms in watch.served.items()}

    workspace.deployments.set("garden", {"small/1": 1.0})
    watch = Watch(workspace, [], loading, tell=lambda event, **more: events.append((event, more.get("name"))))
    watch.begin()
    workspace.deployments.set("shop", {"small/2": 1.0})  # was served
    workspace.deployments.set("cellar", {"small/1": 0.5, "small/2": 0.5})  # never was
    workspace.deployments.set("garden", {"small/3": 1.0})
    watch.look()
    assert answering() == {"shop": 1, "garden": 3}
    assert sorted(events, key=str) == [("swapped", None), ("watch-failed", "cellar"), ("watch-failed", "shop")]
    events.clear()
    tried.clear()
    workspace.deployments.set("garden", {"small/4": 1.0})
    watch.look()
    assert answering() == {"shop": 1, "garden": 4}
    assert events == [("swapped", None)], "what fails as before is not told again"
    assert "small/2" in tried
    broken.clear()
    workspace.deployments.set("garden", {"small/1": 1.0})
    watch.look()
    assert answering() == {"shop": 2, "garden": 1, "cellar": 1}


@pytest.mark.long
def test_what_cannot_be_loaded_is_tried_again_without_a_change(workspace: Workspace) -> None:
    """A store of blobs that was away for a while comes back without a word in the audit log."""
    from luban.serving.watch import Watch

    broken = {"small/2"}

    def loading(reference: str) -> Any:
        if reference in broken:
            raise Conflict("it cannot be loaded")
        return load(reference)

    watch = Watch(workspace, ["shop"], loading)
    watch.begin()
    workspace.deployments.set("shop", {"small/2": 1.0})
    watch.look()
    broken.clear()

    def followed() -> bool:
        watch.look()
        (arms,) = watch.served["shop"].values()
        return arms.champion.runtime.version == 2

    until(followed)


@pytest.mark.long
def test_what_stands_is_not_loaded_again_for_what_cannot_be(workspace: Workspace) -> None:
    """A deployment of which one version fails keeps the others ready for the next try, while it is wanted."""
    from luban.serving.watch import Watch

    broken, tried, made = {"small/2"}, [], {}

    def loading(reference: str) -> Any:
        tried.append(reference)
        if reference in broken:
            raise Conflict("it cannot be loaded")
        found = load(reference)
        made[reference] = weakref.ref(found)
        return found

    workspace.deployments.set("garden", {"small/6": 0.5, "small/2": 0.5})
    watch = Watch(workspace, [], loading)
    assert set(watch.begin()) == {"shop"}
    for _ in range(3):  # each change has all tried again
        workspace.deployments.set("shop", {"small/1": 1.0}, log=0.5)
        workspace.deployments.set("shop", {"small/1": 1.0}, log=1.0)
        watch.look()
    with pytest.raises(Conflict):
        watch.choose("garden", serve=True)
    assert Counter(tried) == {"small/1": 1, "small/6": 1, "small/2": 5}
    broken.clear()
    workspace.deployments.set("shop", {"small/1": 1.0}, log=0.5)
    watch.look()
    assert tried.count("small/6") == 1
    assert set(watch.served) == {"shop", "garden"}

    broken.add("small/3")
    workspace.deployments.set("garden", {"small/4": 0.5, "small/3": 0.5})
    watch.look()
    assert made["small/4"]() is not None
    workspace.deployments.set("garden", {"small/1": 1.0})
    watch.look()
    gc.collect()  # an error that was raised beside them holds its frames in a circle
    assert [made[f"small/{version}"]() for version in (2, 4, 6)] == [None] * 3, "what nobody wants leaves the memory"


@pytest.mark.long
def test_a_server_of_all_deployments_starts_without_the_one_that_cannot_be_loaded(workspace: Workspace) -> None:
    """What is named must be there; where all are asked for, what can be loaded is served and the rest is told."""
    from luban.serving.watch import Watch

    def loading(reference: str) -> Any:
        if reference == "small/2":
            raise Conflict("it cannot be loaded")
        return load(reference)

    events: list[Any] = []
    workspace.deployments.set("garden", {"small/2": 1.0})
    watch = Watch(workspace, [], loading, tell=lambda event, **more: events.append((event, more.get("name"))))
    assert set(watch.begin()) == {"shop"}
    watch.look()
    assert events == [("watch-failed", "garden")]
    with pytest.raises(Conflict):
        Watch(workspace, ["shop", "garden"], loading).begin()
    workspace.deployments.set("shop", {"small/2": 1.0})
    with pytest.raises(Conflict):
        Watch(workspace, [], loading).begin()


@pytest.mark.long
def test_servers_see_to_the_logs_of_deployments_that_were_removed(workspace: Workspace) -> None:
    """What a killed eraser left is erased; what is kept forgets after the days that the deployment kept it."""
    from luban.serving.deployed import Deployed

    old, new = datetime.now(UTC) - timedelta(days=40), datetime.now(UTC)
    for name, fate in (("erased", "erase"), ("kept", "keep")):
        workspace.deployments.set(name, {"small/2": 1.0}, keep=30)
        for moment in (old, new):
            row = dict.fromkeys(COLUMNS.names) | {"request_id": str(moment), "moment": moment, "deployment": name}
            workspace.predictions.append(pa.Table.from_pylist([row], schema=COLUMNS))
        workspace.deployments.remove(name, log=fate)
    assert workspace.predictions.count("erased") == 2
    server = Deployed(workspace, ["shop"], load)
    server._retain()
    server._log.close()
    assert (workspace.predictions.count("erased"), workspace.predictions.count("kept")) == (0, 1)


@pytest.mark.long
def test_a_damaged_log_keeps_no_other_from_forgetting(workspace: Workspace) -> None:
    """What is wrong is told, with whose log it is; the logs of later deployments forget all the same."""
    from luban.serving.deployed import Deployed

    old = datetime.now(UTC) - timedelta(days=40)
    for name in ("garden", "shop"):
        workspace.deployments.set(name, {"small/2": 1.0}, keep=30)
        before = {one for one in (workspace.root / "blobs").rglob("*") if one.is_file()}
        row = dict.fromkeys(COLUMNS.names) | {"request_id": name, "moment": old, "deployment": name}
        workspace.predictions.append(pa.Table.from_pylist([row], schema=COLUMNS))
        if name == "garden":
            (chunk,) = {one for one in (workspace.root / "blobs").rglob("*") if one.is_file()} - before
            chunk.chmod(0o600)
            chunk.write_bytes(b"damaged")
    told: list[tuple[str, object]] = []
    server = Deployed(workspace, ["garden", "shop"], load)
    server.models.tell = lambda event, **details: told.append((event, details["deployment"]))
    for _ in range(2):
        server._attempt(server._retain)
    server._log.close()
    assert told == [("retention-failed", "garden")]
    assert (workspace.predictions.count("garden"), workspace.predictions.count("shop")) == (1, 0)


def test_what_cannot_be_forgotten_is_not_tried_at_every_look(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look comes four times a second; each try would write to a store that has trouble already."""
    from luban.serving.deployed import Deployed
    from luban.store.outcomes import Outcomes

    tried: list[int] = []

    def away(_outcomes: Outcomes, before: datetime | None = None) -> None:
        tried.append(1)
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(Outcomes, "forget", away)
    server = Deployed(workspace, ["shop"], load)
    for _ in range(3):
        server._attempt(server._retain)
    server._log.close()
    assert tried == [1]


@pytest.mark.long
def test_what_is_gone_from_the_store_can_be_unloaded(workspace: Workspace) -> None:
    """It stands for nothing any more, which is no reason to go on answering under its name."""
    from luban.serving.watch import Watch

    workspace.deployments.set("garden", {"small/2": 1.0})
    watch = Watch(workspace, ["shop", "garden"], load)
    watch.begin()
    workspace.deployments.remove("garden")
    watch.look()
    assert set(watch.served) == {"shop", "garden"}
    watch.choose("garden", serve=False)
    assert set(watch.served) == {"shop"}
    with pytest.raises(NotFound):
        watch.choose("garden", serve=True)
    workspace.deployments.set("garden", {"small/2": 1.0})
    watch.look()
    assert set(watch.served) == {"shop"}, "it stays unloaded"


@pytest.mark.long
def test_two_canaries_that_were_taken_back_stay_so_until_the_store_says_something_new(workspace: Workspace) -> None:
    """Neither is recorded yet when something else in the store is followed."""
    from luban.serving.watch import Watch

    def answering() -> dict[str, int]:
        return {name: len(arms.answering) for name, versions in watch.served.items() for arms in versions.values()}

    names = ("garden", "shop")
    for name in names:
        workspace.deployments.set(name, {"small/1": 0.5, "small/2": 0.5})
    watch = Watch(workspace, [], load)
    watch.begin()
    for name in names:
        seen = workspace.deployments.get(name)
        watch.overrule(seen, workspace.deployments.trial(name), replace(seen, traffic={"small/1": 1.0}))
    assert answering() == {"garden": 1, "shop": 1}
    workspace.deployments.set("cellar", {"small/1": 1.0})
    watch.look()
    assert answering() == {"garden": 1, "shop": 1, "cellar": 1}
    workspace.deployments.set("garden", {"small/1": 0.6, "small/2": 0.4})
    watch.look()
    assert answering() == {"garden": 2, "shop": 1, "cellar": 1}


@pytest.mark.long
def test_an_alias_that_is_gone_keeps_its_version_and_stops_nothing_else(workspace: Workspace) -> None:
    """The names of one model keep their order, by which the last answers where no version is asked for."""
    from luban.serving.watch import Watch

    workspace.models.set_alias("small", "old", 1)
    workspace.models.set_alias("small", "live", 2)
    resolve, gone = workspace.models.get, set()

    def get(reference: str) -> Any:
        if reference in gone:
            raise NotFound("there is no such alias", seen=reference)
        return resolve(reference)

    watch = Watch(workspace, ["small@old", "small@live"], load)
    watch.begin()
    workspace.models.get = get  # type: ignore[method-assign]
    gone.add("small@old")
    workspace.models.set_alias("small", "live", 3)
    watch.look()
    assert list(watch.served["small"]) == ["1", "3"]


def test_new_deployments_are_served_and_removed_ones_are_not(folder: Path, workspace: Workspace) -> None:
    """A server without names follows all deployments."""
    with deployment_server(folder) as (_, url), httpx.Client(base_url=url, timeout=180) as client:
        assert ask(client).status_code == 200
        assert ask(client, name="bar").status_code == 404
        workspace.deployments.set("bar", {"small/2": 1.0})
        until(lambda: ask(client, name="bar").status_code == 200)
        workspace.deployments.remove("shop", log="erase")
        until(lambda: ask(client).status_code == 404)


# --- arms -----------------------------------------------------------------------------------------


def test_a_row_always_goes_to_the_same_arm(folder: Path, workspace: Workspace) -> None:
    """Alone or among others, in whichever wire and order; the arms have about their shares; the log knows the arm."""
    workspace.deployments.set("shop", {"small/1": 0.7, "small/2": 0.3})
    rows = [{**ROW, "age": 20 + number} for number in range(200)]
    with deployment_server(folder, "shop") as (_, url), httpx.Client(base_url=url, timeout=180) as client:
        singly = [client.post("/models/shop/predict", json={"rows": [row]}).json() for row in rows]
        together = client.post("/models/shop/predict", json={"rows": rows, "id": "together"}).json()["predictions"]
        back = client.post("/models/shop/predict", json={"rows": rows[::-1]}).json()["predictions"]
        tensors = [
            {"name": name, "shape": [200, 1], "datatype": kind, "data": [row[name] for row in rows]}
            for name, kind in (
                ("age", "FP64"),
                ("colour", "BYTES"),
                ("member", "BOOL"),
                ("since", "BYTES"),
                ("note", "BYTES"),
            )
        ]
        wire = client.post("/v2/models/shop/infer", json={"id": "wire", "inputs": tensors}).json()
        until(lambda: workspace.predictions.read("shop").num_rows == 800)
    versions = [one["model"] for one in singly]
    assert 30 <= versions.count("small/2") <= 90
    expected = [one["predictions"][0]["probabilities"]["high"] for one in singly]
    close = pytest.approx(expected, abs=1e-6)
    assert [one["probabilities"]["high"] for one in together] == close
    assert [one["probabilities"]["high"] for one in back[::-1]] == close
    assert wire["outputs"][1]["data"][1::2] == close
    log = workspace.predictions.read("shop").to_pylist()
    for request in ("together", "wire"):
        mine = sorted((one for one in log if one["request_id"] == request), key=lambda one: one["row"])
        assert [one["model"] for one in mine] == versions
        assert [one["input.age"] for one in mine] == [row["age"] for row in rows]
        assert [one["output.probability_high"] for one in mine] == close


def test_a_shadow_answers_nothing_and_is_logged(folder: Path, workspace: Workspace) -> None:
    """Also a shadow that fails: its failures are counted, and clients see none of them."""
    workspace.deployments.set("shop", {"small/1": 1.0}, shadow="small/3")
    with deployment_server(folder, "shop") as (_, url), httpx.Client(base_url=url, timeout=180) as client:
        answers = [ask(client, number) for number in range(40)]
        log = until(lambda: _log(workspace, 40 + 38))
        figures = client.get("/metrics").text  # those that failed were counted before the last were stored
    assert {one.status_code for one in answers} == {200}
    assert {(one.json()["model"], one.json()["deployment"]) for one in answers} == {("small/1", "shop")}
    assert Counter(row["arm"] for row in log) == {"champion": 40, "shadow": 38}
    assert {row["model"] for row in log if row["arm"] == "shadow"} == {"small/3"}
    assert 'luban_shadow_rows_total{deployment="shop",outcome="failed"} 2.0' in figures


def _log(workspace: Workspace, rows: int) -> list[dict[str, Any]] | None:
    table = workspace.predictions.read("shop")
    return table.to_pylist() if table.num_rows >= rows else None


@pytest.mark.long
def test_the_store_hears_how_requests_ended_and_what_the_log_took(folder: Path, workspace: Workspace) -> None:
    """Of 100 requests 5 fail, whose rows are in no log; two were refused consent, one was no request to the model."""
    workspace.deployments.set("shop", {"small/3": 1.0})
    with deployment_server(folder, "shop") as (_, url), httpx.Client(base_url=url, timeout=180) as client:
        for number in range(100):
            ask(client, number)
        for _ in range(2):
            client.post("/models/shop/predict", json={"rows": [ROW]}, headers={"x-luban-consent": "no"})
        client.post("/models/shop/predict", json={"rows": [{"age": "old"}]})
        expected = {"answered": 97, "failed": 5, "stored": 95, "without_consent": 2}
        until(lambda: _ended(workspace) == expected)


def _ended(workspace: Workspace) -> Counter[str]:
    found: Counter[str] = Counter()
    for minute in workspace.outcomes.read("shop"):
        found.update(minute.counts)
    return found


# --- rollback -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "why"), [(3, "requests failed"), pytest.param(4, "were slower", marks=pytest.mark.long)]
)
def test_a_bad_canary_is_rolled_back_and_the_reason_is_on_record(
    folder: Path, workspace: Workspace, version: int, why: str
) -> None:
    workspace.deployments.set("shop", {"small/6": 1.0})
    with deployment_server(folder, "shop") as (_, url), Load(url, 8) as load:
        until(lambda: load.asked > 100)
        workspace.deployments.set("shop", {"small/6": 0.5, f"small/{version}": 0.5}, log=0.5, reason="try it")
        until(lambda: workspace.deployments.get("shop").traffic == {"small/6": 1.0})
        failed = load.codes[500]
        asked = load.asked
        until(lambda: load.asked > asked + 100)
        assert load.codes[500] <= failed + 8, "after the rollback no request fails but those in flight"
    last = workspace.deployments.history("shop")[-1]
    assert last.detail["reason"].startswith("automatic rollback: ")
    assert why in last.detail["reason"]
    assert workspace.deployments.get("shop").log == 0.5, "all else stays as it was"
    assert workspace.audit.verify()


def test_a_rollback_that_comes_late_undoes_no_later_trial(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one server decides is recorded after another's rollback and a new trial of the same traffic: that stays."""
    from luban.serving.deployed import Deployed
    from luban.serving.trials import Verdict

    half = {"small/6": 0.5, "small/3": 0.5}
    workspace.deployments.set("shop", half)
    verdict = Verdict(deployment="shop", began=workspace.deployments.trial("shop"), canary="small/3", why="it failed")
    with Deployed(workspace, ["shop"], load) as slow:
        set_ = workspace.deployments.set
        late = threading.Event()

        def after_the_other(*arguments: Any, **more: Any) -> Any:
            if not late.is_set():
                set_("shop", {"small/6": 1.0}, reason="the other server's rollback")
                set_("shop", half, reason="tried again")
                late.set()
            return set_(*arguments, **more)

        monkeypatch.setattr(workspace.deployments, "set", after_the_other)
        monkeypatch.setattr(slow._bench, "verdicts", lambda: [] if late.is_set() else [verdict])
        until(late.is_set)
        until(lambda: not slow._pending)
        until(lambda: len(slow.models.arms("shop").answering) == 2)
    assert workspace.deployments.get("shop").traffic == half
    assert [one.detail["reason"] for one in workspace.deployments.history("shop")][-1] == "tried again"


def _labelled(workspace: Workspace, log: list[dict[str, Any]]) -> None:
    """Say of what ``small/6`` answered that it is right, and of what ``small/5`` answered the opposite."""
    truth = {"small/6": lambda told: told, "small/5": lambda told: "high" if told == "low" else "low"}
    workspace.labels.add(
        "shop",
        [row["request_id"] for row in log],
        None,
        [truth[row["model"]](row["output.prediction"]) for row in log],
    )


def _asked(workspace: Workspace, url: str, step: int = 1) -> list[dict[str, Any]]:
    with httpx.Client(base_url=url, timeout=180) as client:
        for number in range(300):
            ask(client, step * number, id=f"request {number}")
        return until(lambda: _log(workspace, 300))


@pytest.mark.parametrize(
    ("step", "why"),
    [(-40, "roc_auc was 0 "), pytest.param(1, "labelled predictions were wrong", marks=pytest.mark.long)],
)
def test_a_canary_that_labels_prove_wrong_is_rolled_back(
    folder: Path, workspace: Workspace, step: int, why: str
) -> None:
    """By the metric that the model was made by, or where all rows are of one class by how many answers were wrong."""
    workspace.deployments.set("shop", {"small/6": 0.5, "small/5": 0.5})
    with deployment_server(folder, "shop") as (_, url):
        _labelled(workspace, _asked(workspace, url, step))
        until(lambda: workspace.deployments.get("shop").traffic == {"small/6": 1.0})
    assert why in workspace.deployments.history("shop")[-1].detail["reason"]


@pytest.mark.long
def test_labels_count_from_the_beginning_of_a_trial(folder: Path, workspace: Workspace) -> None:
    """Settings changed since, and another server started, do not forget what the trial has answered before."""
    half = {"small/6": 0.5, "small/5": 0.5}
    workspace.deployments.set("shop", half)
    with deployment_server(folder, "shop") as (_, url):
        log = _asked(workspace, url)
    workspace.deployments.set("shop", half, log=0.5)
    _labelled(workspace, log)
    with deployment_server(folder, "shop"):
        until(lambda: workspace.deployments.get("shop").traffic == {"small/6": 1.0})
    assert "labelled predictions were wrong" in workspace.deployments.history("shop")[-1].detail["reason"]


@pytest.mark.long
def test_a_canary_as_good_as_the_champion_stays(folder: Path, workspace: Workspace) -> None:
    workspace.deployments.set("shop", {"small/1": 0.5, "small/2": 0.5})
    with deployment_server(folder, "shop") as (_, url), Load(url, 2) as load:
        until(lambda: load.asked > 1000)
    assert workspace.deployments.get("shop").canaries == ("small/2",)
    assert set(load.codes) == {200}
    assert all(len(versions) == 1 for versions in load.by_row.values()), "a row changed its arm"


# --- the log --------------------------------------------------------------------------------------


def test_the_log_keeps_what_a_request_says_of_itself(folder: Path, workspace: Workspace) -> None:
    """Ids are echoed, subjects and consent are kept, and who refused is not logged but answered."""
    with deployment_server(folder, "shop") as (_, url), httpx.Client(base_url=url, timeout=180) as client:
        headers = {"x-request-id": "of the header", "x-luban-subject": "alice", "x-luban-consent": "yes"}
        answer = client.post("/models/shop/predict", json={"rows": [ROW]}, headers=headers)
        assert answer.headers["x-request-id"] == "of the header"
        assert ask(client, id="of the body", subject="bob").headers["x-request-id"] == "of the body"
        made = ask(client).headers["x-request-id"]
        raw = {"x-request-id": "订单17".encode()}  # as curl sends it
        answer = client.post("/models/shop/predict", json={"rows": [ROW]}, headers=raw)
        assert answer.headers["x-request-id"] == "%E8%AE%A2%E5%8D%9517"
        assert ask(client, consent=False).status_code == 200
        assert ask(client, consent="perhaps").status_code == 400
        bad = client.post("/models/shop/predict", json={"rows": [ROW]}, headers={"x-luban-subject": "x" * 300})
        assert bad.status_code == 200
        log = until(lambda: _log(workspace, 4))
        for outcome, rows in (("stored", 4.0), ("without_consent", 2.0)):  # which are counted after they were stored
            line = f'luban_prediction_log_rows_total{{deployment="shop",outcome="{outcome}"}} {rows}'
            until(lambda line=line: line in client.get("/metrics").text)
    assert [(row["request_id"], row["subject"], row["consent"]) for row in log] == [
        ("of the header", "alice", True),
        ("of the body", "bob", None),
        (made, None, None),
        ("订单17", None, None),
    ]


@pytest.mark.long
def test_a_sample_is_kept_and_off_keeps_nothing(folder: Path, workspace: Workspace) -> None:
    workspace.deployments.set("shop", {"small/1": 1.0}, log=0.3)
    workspace.deployments.set("bar", {"small/1": 1.0}, log=0.0)
    with deployment_server(folder) as (process, url), httpx.Client(base_url=url, timeout=180) as client:
        for number in range(300):
            ask(client, number)
            ask(client, number, "bar")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=180)
    assert 50 <= workspace.predictions.read("shop").num_rows <= 130
    assert workspace.predictions.read("bar").num_rows == 0


@pytest.mark.parametrize(
    "seconds", [pytest.param(0.3, marks=pytest.mark.long), 1.1, pytest.param(2.0, marks=pytest.mark.long)]
)
def test_what_counted_as_stored_survives_a_kill(folder: Path, workspace: Workspace, seconds: float) -> None:
    """SIGKILL at any moment: rows that the counter called stored are there, once; the deployment is whole."""
    with deployment_server(folder, "shop") as (process, url):
        stored = 0.0
        with Load(url, 2), httpx.Client(base_url=url, timeout=180) as client:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                lines = client.get("/metrics").text.splitlines()
                told = [one for one in lines if one.startswith("luban_prediction_log_rows_total") and '"stored"' in one]
                stored = float(told[0].split()[-1]) if told else 0.0
                version = 1 + int(time.monotonic() * 10) % 2
                workspace.deployments.set("shop", {f"small/{version}": 1.0})
            killed = threading.Thread(target=process.kill)
            killed.start()
            killed.join()
    found = workspace.predictions.read("shop")["request_id"].to_pylist()
    assert len(found) >= stored
    assert len(found) == len(set(found))
    assert workspace.deployments.get("shop").traffic in ({"small/1": 1.0}, {"small/2": 1.0})
    assert workspace.audit.verify()


# --- the database is away -------------------------------------------------------------------------


@contextmanager
def postgresql() -> Iterator[Any]:
    try:
        with servers.stoppable_postgresql() as server:
            yield server
    except servers.NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.mark.long
def test_answers_go_on_while_the_database_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL stops: requests are answered, the log waits in memory, and all of it is stored when it is back."""
    with postgresql() as server:
        monkeypatch.setenv("LUBAN_STORE", server.url)
        folder = tmp_path / ".luban"
        with Workspace.open(folder, actor="ada") as workspace:
            register(workspace)
            workspace.deployments.set("shop", {"small/1": 1.0})
            with deployment_server(folder, "shop") as (_, url), httpx.Client(base_url=url, timeout=180) as client:
                sent = [ask(client, number, id=f"before {number}").status_code for number in range(10)]
                until(lambda: workspace.predictions.read("shop").num_rows == 10)
                server.stop()
                end = time.monotonic() + AWAY
                number = 0
                while time.monotonic() < end:
                    sent.append(ask(client, number, id=f"away {number}").status_code)
                    number += 1
                    time.sleep(0.01)
                server.start()
                until(lambda: _stored(workspace) == len(sent))
                workspace.deployments.set("shop", {"small/2": 1.0})
                until(lambda: ask(client).json()["model"] == "small/2")
    assert set(sent) == {200}


AWAY = 4.0


@pytest.mark.long
def test_answers_go_on_while_the_database_is_away_for_half_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for 30 s."""
    monkeypatch.setitem(globals(), "AWAY", 30.0)
    test_answers_go_on_while_the_database_is_away(tmp_path, monkeypatch)


def _stored(workspace: Workspace) -> int:
    return len(set(workspace.predictions.read("shop")["request_id"].to_pylist()))
