"""Who may ask `luban server` for what: every route, who did it in the record, and what is behind paths and names."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rest_server import answering

from luban.core import plugins
from luban.core.errors import InputError
from luban.serving.access.declare import OPEN, walk
from luban.serving.access.gate import _Guarded, gate_of
from luban.store import Workspace
from luban.store.scopes import SCOPES
from luban.surfaces.rest import application, openapi
from luban.testing.store import SIGNATURE, TASK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.surfaces.conftest import CommandLine


LONG = 180.0  # seconds that nothing here takes unless it is broken


@contextmanager
def served(workspace: Workspace, *, loopback: bool = True) -> Iterator[httpx.Client]:
    app = application(workspace, gate=gate_of(workspace.tokens, loopback=loopback))
    with answering(app) as url, httpx.Client(base_url=url, timeout=LONG) as client:
        yield client


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / ".luban", actor="owner") as opened:
        yield opened


def bearer(workspace: Workspace, name: str, *scopes: str, **more: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {workspace.tokens.create(name, scopes=scopes, **more)[1]}"}


def needed(client: httpx.Client) -> None:
    """Wait until the server knows that a token was made."""
    until = time.monotonic() + LONG
    while client.get("/").status_code != 401:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_every_route_says_what_it_needs(workspace: Workspace) -> None:
    app = application(workspace)
    found = list(walk(app.routes))
    assert len(found) > 30
    for path, route, declared in found:
        assert declared is not None, f"{path} does not say what it needs"
        assert isinstance(route.app, _Guarded), f"{path} is not behind the gate"
    assert {path for path, _, declared in found if declared.need == OPEN} == {"/health"}
    needs = {path: declared.need for path, _, declared in found}
    for name in plugins.names("operations"):
        operation = plugins.load("operations", name)
        if operation.remote:
            need = needs[openapi.path(operation)]
            writes = operation.permission.endswith(":write")
            answers = operation.permission == "approvals:write"
            assert need in ({"approve"} if answers else {"write", "admin"} if writes else {"read", "admin"}), name
    for verb in ("tokens/create", "tokens/list", "roles/set", "audit-log/list"):
        assert needs[f"/api/{verb}"] == "admin"


def test_no_route_answers_a_stranger_and_a_scope_opens_its_own(workspace: Workspace) -> None:
    """Each route of a running server refuses who has no token, and who has one of another scope."""
    have = {scope: bearer(workspace, scope, scope) for scope in SCOPES}
    with served(workspace) as client:
        needed(client)
        for path, route, declared in walk(application(workspace).routes):
            if declared.need == OPEN:
                continue
            for method in sorted(route.methods):
                where = path.replace("{job}", "x").replace("{name:path}", "x")
                assert client.request(method, where).status_code == 401, where
                less = {"read": ["infer"], "write": ["read", "approve"], "approve": ["write"]}
                for scope in less.get(declared.need, ["write", "approve"]):
                    assert client.request(method, where, headers=have[scope]).status_code == 403, (scope, where)
        assert client.get("/api/models/list", headers=have["read"]).status_code == 200
        assert client.get("/api/tokens/list", headers=have["admin"]).status_code == 200
        assert client.get("/health").status_code == 200


def test_who_did_it_is_in_the_chain_and_in_runs(workspace: Workspace) -> None:
    headers = bearer(workspace, "robot", "write")
    rows = [{"a": i % 7, "y": "yes" if i % 7 > 3 else "no"} for i in range(60)]
    with served(workspace) as client:
        needed(client)
        fit = {"data": rows, "target": "y", "rounds": 1, "learners": ["constant"], "name": "little"}
        job = client.post("/api/fit", json=fit, headers=headers).json()
        until = time.monotonic() + LONG
        while client.get(job["url"], headers=headers).json()["state"] not in {"finished", "failed"}:
            assert time.monotonic() < until
            time.sleep(0.1)
        done = client.post("/api/models/promote", json={"model": "little"}, headers=headers)
        assert done.json()["actor"] == "token/robot"
    workspace.roles.set("mine", ["read"])
    actors = {(one.action, one.actor) for one in workspace.audit.entries()}
    assert {("model.register", "token/robot"), ("model.alias", "token/robot"), ("fit", "token/robot")} <= actors
    assert ("role.change", "owner") in actors
    assert {run.actor for run in workspace.runs.list()} == {"token/robot"}
    secret = headers["authorization"].split()[1][17:]
    kept = [one.request for one in workspace.runs.list()] + [one.detail for one in workspace.audit.entries()]
    assert secret not in json.dumps(kept, default=str)


def test_a_token_for_some_models_changes_those_alone(workspace: Workspace) -> None:
    headers = bearer(workspace, "robot", "write", only=["mine", "shop"])
    with served(workspace) as client:
        needed(client)

        def status(path: str, **arguments: str) -> int:
            return client.post(path, json=arguments, headers=headers).status_code

        assert status("/api/models/promote", model="other/1") == 403
        assert status("/api/models/promote", model="mine/1") == 404  # which it may, and is not there
        assert status("/api/deploy", name="shop", model="mine/1") == 404
        assert status("/api/deploy", name="shop", model="other/1") == 403
        assert status("/api/deploy", name="theirs", model="mine/1") == 403
        assert status("/api/deploy", name="shop") == 403  # what is left out may mean any
        assert status("/api/predictions/erase", subject="ada") == 403
        assert client.get("/api/models/list", headers=headers).status_code == 403
        assert client.put("/api/files/x.csv", content=b"", headers=headers).status_code == 403


def test_tokens_are_made_and_ended_over_rest_by_administrators(workspace: Workspace) -> None:
    headers = bearer(workspace, "boss", "admin")
    with served(workspace) as client:
        needed(client)
        made = client.post("/api/tokens/create", json={"name": "ci", "scopes": ["read"]}, headers=headers).json()
        mine = {"authorization": f"Bearer {made['token']}"}
        until = time.monotonic() + LONG
        while client.get("/", headers=mine).status_code != 200:
            assert time.monotonic() < until
        listed = client.get("/api/tokens/list", headers=headers)
        assert made["token"][17:] not in listed.text
        assert [(one["name"], one["actor"]) for one in listed.json()] == [("boss", "owner"), ("ci", "token/boss")]
        assert client.post("/api/tokens/revoke", json={"token": "ci"}, headers=headers).status_code == 200
        until = time.monotonic() + LONG
        while client.get("/", headers=mine).status_code != 401:
            assert time.monotonic() < until
        assert client.get("/api/audit-log/verify", headers=headers).json()["entries"] > 4


def test_no_path_leads_out_even_for_administrators(workspace: Workspace) -> None:
    headers = bearer(workspace, "boss", "admin")
    with served(workspace) as client:
        needed(client)
        for name in ("../luban.db", "..%2fluban.db", "%2e%2e/luban.db", "/etc/passwd", "x/../../luban.db", "a%00b"):
            for method in ("GET", "PUT"):
                answer = client.request(method, f"/api/files/{name}", headers=headers)
                assert answer.status_code in {403, 404, 405}, (method, name, answer.status_code)
            asked = client.post("/api/predict", json={"model": "m", "data": name}, headers=headers)
            assert asked.status_code in {400, 403, 404}, name


@pytest.mark.long
def test_who_writes_does_not_thereby_say_yes(workspace: Workspace) -> None:
    """Neither by an answer, nor by a promotion or a deployment by hand, nor through MLflow's API; approvers answer."""
    for number in range(2):
        artifact = workspace.blobs.put(b"%d" % number)
        workspace.models.register(name="house", artifact=artifact, signature=SIGNATURE, task=TASK)
    workspace.models.set_alias("house", "champion", 1)
    writer, approver = bearer(workspace, "writer", "write"), bearer(workspace, "approver", "approve")
    asked = workspace.approvals.ask(
        "promote", "house", "house/2", seconds=1e6, detail={"champion": "house/1", "challenger": "house/2"}
    )
    with served(workspace) as client:
        needed(client)

        def ask(path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
            return client.post(f"/api/{path}", json=body, headers=headers)

        alias = {"name": "house", "alias": "champion", "version": "2"}
        by_hand = ("/models/promote", {"model": "house/2"}), ("/deploy", {"name": "shop", "model": "house/2"})

        def refused() -> None:
            for path, body in by_hand:
                answer = ask(path[1:], writer, **body)
                assert (answer.status_code, "scope approve" in answer.text) == (403, True), answer.text
            path = "/api/2.0/mlflow/registered-models/alias"
            assert client.post(path, json=alias, headers=writer).status_code == 403

        for verb in ("approve", "reject"):
            assert ask(f"approvals/{verb}", writer, approval=asked.id).status_code == 403
        refused()
        assert ask("approvals/reject", approver, approval=asked.id).status_code == 200
        refused()
        assert ask("models/promote", approver, model="house/2").status_code == 403  # which is for who writes
        workspace.approvals.ask(
            "promote", "house", "house/2", seconds=1e6, detail={"champion": "house/1", "challenger": "house/2"}
        )
        (again,) = client.get("/api/approvals/list", headers=approver).json()
        assert workspace.models.get("house").version == 1
        both = bearer(workspace, "both", "write", "approve")
        until = time.monotonic() + LONG
        while client.get("/", headers=both).status_code != 200:
            assert time.monotonic() < until
        assert ask("models/promote", both, model="house/2").status_code == 200
        assert ask("approvals/reject", approver, approval=again["id"]).status_code == 200


def test_hosts_and_origins(workspace: Workspace) -> None:
    """On loopback a foreign host name is refused; elsewhere it says nothing, and pages of other origins stay out."""
    headers = bearer(workspace, "boss", "admin")
    with served(workspace) as client:
        assert client.get("/", headers={**headers, "host": "evil.example"}).status_code == 403
        assert client.get("/", headers={**headers, "origin": "https://evil.example"}).status_code == 403
    with served(workspace, loopback=False) as client:
        answer = client.get("/", headers={**headers, "host": "evil.example"})
        assert (answer.status_code, "evil" in answer.text) == (200, False)
        assert client.get("/", headers={**headers, "origin": "https://evil.example"}).status_code == 403
        assert client.get("/", headers={"host": "localhost"}).status_code == 401


def test_the_commands_from_token_to_audit_log(luban: CommandLine) -> None:
    refused = luban("server", "--host", "0.0.0.0", "--port", "0")
    assert (refused.code, "tokens create" in refused.err) == (2, True)
    made = luban("tokens", "create", "ci", "--scopes", "infer,read", "--expires", "90d", "--json").json
    assert made["scopes"] == ["infer", "read"]
    log = luban("audit-log", "list", "--json")
    assert [one["action"] for one in log.json] == ["tokens create", "token.create"]
    assert made["token"][17:] not in log.out


def test_the_verbs_in_python(workspace: Workspace) -> None:
    import luban

    made = luban.tokens.create("ci", scopes=["read"], expires="never", workspace=workspace)
    assert made.expires is None
    assert made.token not in str(luban.tokens.list(workspace=workspace))
    assert luban.audit_log.verify(workspace=workspace).entries == 2
    assert luban.tokens.revoke(made.token, workspace=workspace).name == "ci"
    for wrong in ({}, {"scopes": ["read"], "expires": "999999d"}, {"scopes": ["read"], "expires": "soon"}):
        with pytest.raises(InputError):
            luban.tokens.create("other", workspace=workspace, **wrong)
    assert made.token[17:] not in str(workspace.audit.entries())
