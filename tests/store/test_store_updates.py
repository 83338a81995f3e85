"""Leases, approvals, policies and promotions, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from luban.core.access import approving
from luban.core.errors import Conflict, NotFound, Refused
from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.task import Task
from luban.core.update import Promotion, UpdatePolicy
from luban.store import Workspace
from luban.store.approvals import person
from luban.store.clock import now

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

TASK = Task(kind="regression", target="price", inputs=("size",), metric="rmse")
SIGNATURE = Signature(inputs=(Column(name="size", kind="number"),), outputs=(Column(name="prediction", kind="number"),))
TO_2 = Promotion(champion="house/1", challenger="house/2")


def _register(workspace: Workspace, versions: int = 2) -> None:
    for version in range(versions):
        artifact = workspace.blobs.put(f"artifact {version}".encode())
        workspace.models.register(name="house", artifact=artifact, signature=SIGNATURE, task=TASK)
    workspace.models.set_alias("house", "champion", 1)


class Clock:
    """The time as a test wants it: it stands still until it is told to go on."""

    def __init__(self) -> None:
        self._moment = now()

    def __call__(self) -> datetime:
        return self._moment

    def go_on(self, seconds: float) -> None:
        self._moment += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in ("leases", "approvals"):
        monkeypatch.setattr(f"luban.store.{module}.now", made)
    return made


def test_a_lease_is_held_by_one_and_taken_over_when_it_has_run_out(workspace: Workspace, clock: Clock) -> None:
    """Nobody takes what is held; who takes over an expired lease bears a greater token."""
    first = workspace.leases.take("update/house", "one", seconds=30)
    assert first is not None
    assert workspace.leases.take("update/house", "two") is None
    assert workspace.leases.take("update/other", "two") is not None
    clock.go_on(29.9)
    assert workspace.leases.take("update/house", "two") is None
    clock.go_on(0.1)
    second = workspace.leases.take("update/house", "two")
    assert second is not None
    assert second.token > first.token
    assert workspace.leases.holder("update/house") == second
    with pytest.raises(Conflict, match="somebody else"):
        workspace.leases.renew(first)
    workspace.leases.release(first)  # who lost it cannot give away what is another's
    assert workspace.leases.take("update/house", "three") is None
    workspace.leases.renew(second, seconds=60)
    workspace.leases.release(second)
    third = workspace.leases.take("update/house", "three")
    assert third is not None
    assert third.token > second.token


def test_of_many_that_try_at_once_one_gets_the_lease(workspace: Workspace, store: Path) -> None:
    """Threads with databases of their own ask at the same moment; one of them gets it."""
    gate, got = threading.Barrier(6), []

    def ask(number: int) -> None:
        with Workspace.open(store) as mine:
            gate.wait()
            got.append(mine.leases.take("update/house", str(number)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(got) == 6
    assert sum(lease is not None for lease in got) == 1


def test_a_promotion_moves_the_alias_and_the_deployments_of_the_champion(workspace: Workspace) -> None:
    """Those of another version, and those with a canary under way, stay; settings stay; all is in the audit chain."""
    _register(workspace, 3)
    workspace.deployments.set("shop", {"house/1": 1.0}, shadow="house/2", log=0.5, keep=9)
    workspace.deployments.set("trial", {"house/1": 0.9, "house/3": 0.1})
    workspace.deployments.set("other", {"house/3": 1.0})
    done = workspace.promotions.promote(TO_2, reason="better on fresh rows")
    assert (done.alias, done.deployments, done.left_alone) == (True, ("shop",), ("trial",))
    assert workspace.models.get("house").version == 2
    shop = workspace.deployments.get("shop")
    assert (dict(shop.traffic), shop.shadow, shop.log, shop.keep) == ({"house/2": 1.0}, None, 0.5, 9)
    assert workspace.deployments.get("trial").champion == "house/1"
    assert workspace.deployments.get("other").champion == "house/3"
    assert workspace.deployments.history("shop")[-1].detail["reason"] == "better on fresh rows"
    assert workspace.models.alias_history("house")[-1].reason == "better on fresh rows"
    assert workspace.audit.verify() > 0


def test_a_promotion_for_a_deployment_leaves_other_deployments_alone(workspace: Workspace) -> None:
    """It moves that one, and the alias where it pointed at the same version."""
    _register(workspace)
    workspace.deployments.set("shop", {"house/1": 1.0})
    workspace.deployments.set("other", {"house/1": 1.0})
    done = workspace.promotions.promote(Promotion(champion="house/1", challenger="house/2", deployment="shop"))
    assert (done.alias, done.deployments) == (True, ("shop",))
    assert workspace.deployments.get("other").champion == "house/1"


def test_what_is_compared_with_a_former_champion_is_not_promoted(workspace: Workspace) -> None:
    """A promotion names the champion that it beat; where another one stands nothing moves."""
    _register(workspace, 3)
    workspace.deployments.set("shop", {"house/1": 1.0})
    workspace.models.set_alias("house", "champion", 3)
    before = workspace.audit.head()
    with pytest.raises(Conflict, match="not the champion any more"):
        workspace.promotions.promote(TO_2)
    assert workspace.audit.head() == before
    assert workspace.deployments.get("shop").champion == "house/1"


def test_a_zombie_cannot_promote(workspace: Workspace, clock: Clock) -> None:
    """Who was stalled for longer than its lease is refused, whatever it believes, and nothing has moved."""
    _register(workspace)
    zombie = workspace.leases.take("update/house", "zombie")
    clock.go_on(31)
    assert workspace.leases.take("update/house", "another") is not None
    before = workspace.audit.head()
    with pytest.raises(Conflict, match="somebody else"):
        workspace.promotions.promote(TO_2, lease=zombie)
    assert workspace.models.get("house").version == 1
    assert workspace.audit.head() == before


def test_a_promotion_that_fails_half_way_moves_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alias has moved in the transaction when the deployment fails: both are as they were."""
    _register(workspace)
    workspace.deployments.set("shop", {"house/1": 1.0})
    before = workspace.audit.head()

    def broken(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("luban.store.promotions.change", broken)
    with pytest.raises(KeyboardInterrupt):
        workspace.promotions.promote(TO_2)
    assert workspace.models.get("house").version == 1
    assert workspace.deployments.get("shop").champion == "house/1"
    assert workspace.audit.head() == before


def test_an_approval_is_answered_once_by_somebody_and_is_in_the_audit_chain(workspace: Workspace, clock: Clock) -> None:
    """Who, when and why are kept; a second answer, a late one and one to an older question are refused."""
    _register(workspace)
    first = workspace.approvals.ask("promote", "house", "house/2", seconds=60, detail={"gain": 0.01})
    second = workspace.approvals.ask("promote", "house", "house/2", seconds=60, detail={"gain": 0.02})
    assert workspace.approvals.get(first.id).state == "superseded"
    with pytest.raises(Conflict, match="not open"):
        workspace.promotions.promote(TO_2, approval=first.id)
    guest = workspace.acting("bob")
    guest.promotions.promote(TO_2, approval=second.id, reason="looks good")
    answered = workspace.approvals.get(second.id[:12])
    assert (answered.state, answered.asker, answered.decider, answered.reason) == (
        "approved",
        "ada",
        "bob",
        "looks good",
    )
    with pytest.raises(Conflict, match="not open"):
        workspace.approvals.reject(second.id)
    said = workspace.audit.entries(subject="house")
    assert [(one.action, one.actor) for one in said] == [
        ("approval.promote.ask", "ada"),
        ("approval.promote.ask", "ada"),
        ("approval.promote.approved", "bob"),
    ]
    late = workspace.approvals.ask("promote", "house", "house/2", seconds=60)
    clock.go_on(60)
    assert [one.id for one in workspace.approvals.list(state="expired")] == [late.id]
    with pytest.raises(Conflict, match="expired"):
        workspace.promotions.promote(Promotion(champion="house/2", challenger="house/1"), approval=late.id)
    assert workspace.models.get("house").version == 2
    with pytest.raises(NotFound):
        workspace.approvals.get("nothing")


@pytest.mark.parametrize("control", ["token", "role", None])
def test_who_asked_does_not_say_yes_where_there_is_access_control(workspace: Workspace, control: str | None) -> None:
    """By whatever way they come in; they may say no, and another may say yes. A single user without tokens answers."""
    _register(workspace)
    if control == "token":
        workspace.tokens.revoke(workspace.tokens.create("bob", scopes=["write"])[0].id)
    if control == "role":
        workspace.roles.set("writers", ["write"])
    asked = workspace.acting("token/ada").approvals.ask("promote", "house", "house/2", seconds=600)
    before = workspace.audit.head()
    if control is None:
        workspace.promotions.promote(TO_2, approval=asked.id)
        return
    for one in ("token/ada", "oidc/ada", "ada"):
        with pytest.raises(Refused, match=rf"who asked.*luban approvals approve {asked.id}"):
            workspace.acting(one).promotions.promote(TO_2, approval=asked.id)
    assert (workspace.models.get("house").version, workspace.audit.head()) == (1, before)
    workspace.acting("token/bob").promotions.promote(TO_2, approval=asked.id)
    assert workspace.approvals.get(asked.id).decider == "token/bob"
    again = workspace.acting("token/ada").approvals.ask("promote", "house", "house/2", seconds=600)
    assert workspace.acting("token/ada").approvals.reject(again.id).state == "rejected"


@pytest.mark.long
def test_who_asked_does_not_let_it_answer_by_hand(workspace: Workspace) -> None:
    """Neither by the alias nor by a deployment; others may. In the shadow it may be. To reject it oneself is no yes."""
    _register(workspace, 3)
    ada, bob = workspace.acting("token/ada"), workspace.acting("token/bob")
    question = ada.approvals.ask("promote", "house", "house/2", seconds=600)
    ada.deployments.set("shop", {"house/2": 1.0})  # nobody is told apart yet
    workspace.tokens.create("bob", scopes=["write"])
    ada.deployments.set("shop", {"house/2": 1.0}, keep=3)  # it answers already: nothing new answers
    ada.deployments.set("shop", {"house/1": 1.0}, shadow="house/2")
    before = workspace.audit.head()
    for shares in ({"house/2": 1.0}, {"house/1": 0.9, "house/2": 0.1}):
        with pytest.raises(Refused, match="house/2 waits for a person's yes"):
            ada.deployments.set("shop", shares)
    with pytest.raises(Refused, match=rf"house/2 waits.*luban approvals approve {question.id}"):
        workspace.acting("ada").models.set_alias("house", "champion", 2)
    assert workspace.audit.head() == before
    ada.models.set_alias("house", "candidate", 2)
    ada.models.set_alias("house", "champion", 3)
    ada.models.set_alias("house", "champion", 1)
    bob.deployments.set("shop", {"house/1": 0.9, "house/2": 0.1})
    with pytest.raises(Refused, match="by hand"):
        ada.deployments.set("shop", {"house/2": 1.0})
    ada.deployments.set("shop", {"house/1": 1.0})  # a canary is always taken back
    bob.models.set_alias("house", "champion", 2)
    ada.models.roll_back("house")
    ada.approvals.reject(question.id)
    with pytest.raises(Refused, match=r"got no yes \(rejected\), and who asked does not"):
        ada.models.set_alias("house", "champion", 2)
    with approving("barn/2".__eq__), pytest.raises(Refused, match="a token without the scope approve"):
        bob.models.set_alias("house", "champion", 2)
    with approving("house/2".__eq__):
        bob.models.set_alias("house", "champion", 2)


def test_what_the_loop_asks_is_asked_by_no_person() -> None:
    assert person("updates/ada") != person("ada") == person("token/ada")


def test_policies_are_kept_by_name(workspace: Workspace) -> None:
    """A policy comes back as it was given, and is gone when it is removed."""
    policy = UpdatePolicy(on="labels", labels=200, gates={"quality": 0.8, "size": None, "checks": "evaluation"})
    workspace.policies.set("shop", UpdatePolicy())
    workspace.policies.set("shop", policy)
    assert workspace.policies.list() == {"shop": policy}
    workspace.policies.remove("shop")
    assert workspace.policies.list() == {}
    with pytest.raises(NotFound):
        workspace.policies.remove("shop")
