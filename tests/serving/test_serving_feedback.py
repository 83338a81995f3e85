"""Labels that clients send to the server that answered them: who may, what is refused, and while the store is away."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from served_deployments import load, register

from luban.core.errors import Unavailable
from luban.operations.taking_labels import taken
from luban.serving import feedback
from luban.serving.access.declare import walk
from luban.serving.app import application
from luban.serving.deployed import Deployed
from luban.serving.server import running
from luban.store import Workspace
from waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.serving.models import Models

pytestmark = pytest.mark.long

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        register(opened)
        opened.deployments.set("shop", {"small/1": 1.0})
        yield opened


@contextmanager
def served(workspace: Workspace) -> Iterator[tuple[httpx.Client, Models]]:
    with Deployed(workspace, ["shop"], load) as deployed:
        deployed.models.feedback = partial(taken, workspace)
        with (
            running(deployed.models, tokens=workspace.tokens) as url,
            httpx.Client(base_url=url, timeout=180) as client,
        ):
            yield client, deployed.models


def bearer(workspace: Workspace, name: str, *scopes: str, **more: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {workspace.tokens.create(name, scopes=scopes, **more)[1]}"}


def labels(*ids: str, **more: Any) -> dict[str, Any]:
    return {"name": "shop", "data": [{"request_id": one, "label": "high"} for one in ids], **more}


def test_labels_meet_the_predictions_of_the_server(workspace: Workspace) -> None:
    """By the id of the answer; who sent them is in the audit chain; what is no row of labels is refused."""
    writer = bearer(workspace, "ci", "write", only=["shop"])
    have = {"infer": bearer(workspace, "client", "infer"), "other": bearer(workspace, "x", "write", only=["bar"])}
    with served(workspace) as (client, models):
        assert {one.need for path, _, one in walk(application(models).routes) if path == feedback.PATH} == {"write"}
        answer = client.post("/models/shop/predict", json={"rows": [ROW]}, headers=have["infer"])
        assert answer.status_code == 200
        until(lambda: workspace.predictions.count("shop") == 1)
        mine = answer.headers["x-request-id"]
        for code, headers in ((403, have["infer"]), (403, have["other"]), (401, {})):
            assert client.post(feedback.PATH, json=labels(mine), headers=headers).status_code == code
        stored = client.post(feedback.PATH, json=labels(mine, "unknown"), headers=writer)
        assert (stored.status_code, stored.json()["labels"], stored.json()["matched"]) == (200, 2, 1)
        assert workspace.labels.joined("shop")["label"].to_pylist() == ["high"]
        for body, code in (
            ({**labels(mine), "name": "bar"}, 403),
            ({**labels(mine), "data": "/etc/passwd"}, 400),
            ({**labels(mine), "data": [{"request_id": "a", "label": "neither"}]}, 400),
            ({**labels(mine), "data": [{"request_id": "a"}]}, 404),
            ({**labels(mine), "more": 1}, 400),
            ({"name": "shop"}, 400),
            ({"data": []}, 403),
        ):
            answer = client.post(feedback.PATH, json=body, headers=writer)
            assert answer.status_code == code, (body, answer.text)
        assert client.post(feedback.PATH, content=b"{}", headers=writer).status_code == 400
        assert feedback.PATH in client.get("/openapi.json", headers=have["infer"]).json()["paths"]
    (said,) = [one for one in workspace.audit.entries() if one.action == "feedback"]
    assert (said.actor, said.detail) == ("token/ci", {"name": "shop"})


def test_while_the_store_is_away_labels_are_refused_and_rows_answered(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by luban server: 503, and nothing is half there; more than may wait are asked to come again."""
    with served(workspace) as (client, _):
        with monkeypatch.context() as patch:

            def away(*_: object, **__: object) -> None:
                raise Unavailable("the database does not answer")

            patch.setattr(type(workspace.labels), "add", away)
            refused = client.post(feedback.PATH, json=labels("a"))
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert client.post("/models/shop/predict", json={"rows": [ROW]}).status_code == 200
            patch.setattr(feedback, "WAITING", 0)
            again = client.post(feedback.PATH, json=labels("a"))
            assert (again.status_code, "retry-after" in again.headers) == (429, True)
        assert workspace.labels.count("shop") == 0
        assert client.post(feedback.PATH, json=labels("a")).json()["labels"] == 1


def test_the_end_of_a_server_waits_for_no_labels_in_the_queue(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being stored is; what waits behind it is not, however long the database takes."""
    monkeypatch.setattr(feedback, "WAITING", 2)
    began, back = threading.Event(), threading.Event()
    stored: list[Any] = []

    def store(given: Any, _actor: str | None) -> dict[str, int]:
        began.set()
        assert back.wait(180)
        stored.append(given)
        return {"labels": 1}

    async def asked(models: Models) -> None:
        app = application(models)
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            first = asyncio.create_task(client.post(feedback.PATH, json=labels("a")))
            await asyncio.to_thread(began.wait, 180)
            others = [asyncio.create_task(client.post(feedback.PATH, json=labels("b"))) for _ in range(2)]
            done, queued = await asyncio.wait(others, timeout=180, return_when=asyncio.FIRST_COMPLETED)
            assert [one.result().status_code for one in done] == [429]
            end = asyncio.create_task(asyncio.to_thread(app.close))
            await asyncio.wait(queued, timeout=180)
            assert [one.cancelled() for one in queued] == [True]
            back.set()
            assert (await first).status_code == 200
            await end

    with Deployed(workspace, ["shop"], load) as deployed:
        deployed.models.feedback = store
        asyncio.run(asked(deployed.models))
    assert stored == [labels("a")]
