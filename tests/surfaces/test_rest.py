"""The REST face: the operations' routes, asked over real HTTP; nothing outside the workspace is within reach."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rest_server import answering
from starlette.exceptions import HTTPException
from starlette.requests import Request

from luban.core import plugins
from luban.core.errors import Refused
from luban.serving.hosts import is_loopback
from luban.store import Workspace
from luban.surfaces.rest import application, refusals, serve, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.surfaces.conftest import CommandLine


LONG = 240.0  # seconds that nothing here takes unless it is broken


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    with (
        Workspace.open(folder) as workspace,
        answering(application(workspace)) as url,
        httpx.Client(base_url=url, timeout=LONG) as client,
    ):
        yield client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with served(tmp_path / ".luban") as one:
        yield one


def finished(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        job: dict[str, Any] = client.get(answer.json()["url"]).json()
        if job["state"] in {"finished", "failed"}:
            return job
        time.sleep(0.2)
    pytest.fail("the job did not end")


ROWS = [{"a": i % 7, "b": i % 5, "y": "yes" if i % 7 > 3 else "no"} for i in range(60)]


def test_openapi_lists_every_remote_operation(client: httpx.Client) -> None:
    page = client.get("/openapi.json").json()
    remote = {name for name in plugins.names("operations") if plugins.load("operations", name).remote}
    assert {"/api/" + name.replace(" ", "/") for name in remote} <= set(page["paths"])
    assert "/api/serve" not in page["paths"]
    fit = page["paths"]["/api/fit"]["post"]
    assert fit["x-permission"] == "models:write"
    assert "target" in fit["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert "/api/fit" in client.get("/docs").text


def test_openapi_page_is_valid(client: httpx.Client) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    validator.validate(client.get("/openapi.json").json())


def test_rows_become_a_data_set_a_model_and_predictions(client: httpx.Client) -> None:
    imported = finished(client, client.post("/api/data/import", json={"data": ROWS, "name": "little"}))
    assert imported["result"]["dataset"] == "little/1"
    request = {"data": "little", "target": "y", "rounds": 2, "learners": ["constant", "linear"]}
    job = finished(client, client.post("/api/fit", json=request))
    assert job["state"] == "finished", job
    assert job["result"]["model"] == "little/1"
    predicted = client.post("/api/predict", json={"model": "little", "data": ROWS[:3]}).json()
    assert [row["prediction"] for row in predicted["predictions"]] == [row["y"] for row in ROWS[:3]]
    assert client.get("/api/models/list").json()["models"][0]["model"] == "little/1"
    assert client.get("/api/models/show", params={"model": "little"}).json()["version"]["task"]["target"] == "y"
    evaluated = client.post("/api/evaluate", json={"model": "little", "data": ROWS}).json()
    assert evaluated["metrics"]["accuracy"] > 0.9


def test_a_backbone_over_rest_is_one_of_the_zoo(client: httpx.Client, tmp_path: Path) -> None:
    """A folder of the server's machine, and what would have to be downloaded, are refused whether they exist or not."""
    rows = [{"text": f"a text of number {row['a']} and {row['b']}", "y": row["y"]} for row in ROWS]
    for name in (str(tmp_path), "/no/such/folder", "nobody/has-this-model"):
        answer = client.post("/api/fit", json={"data": rows, "target": "y", "backbone": name, "name": "m", "rounds": 1})
        job = finished(client, answer)
        assert job["state"] == "failed"
        assert job["error"]["code"] == "refused"
        assert "only backbones of the zoo" in job["error"]["happened"]
    assert client.get("/api/models/list").json() == {"models": []}


def test_uploaded_file_can_be_used_and_results_downloaded(client: httpx.Client) -> None:
    content = "a,b,y\n" + "\n".join(f"{row['a']},{row['b']},{row['y']}" for row in ROWS)
    assert client.put("/api/files/in/rows.csv", content=content).status_code == 201
    request = {"data": "in/rows.csv", "target": "y", "rounds": 1, "learners": ["linear"], "name": "up"}
    assert finished(client, client.post("/api/fit", json=request))["result"]["model"] == "up/1"
    written = client.post("/api/predict", json={"model": "up", "data": "in/rows.csv", "output": "out/p.csv"})
    assert written.json()["rows"] == 60
    assert client.get("/api/files/out/p.csv").text.splitlines()[0].startswith('"prediction"')


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret.csv", "a/../../secret.csv", "..", "a/./b.csv", "~/x.csv", "sqlite:///x.db", "a\\b.csv"],
)
def test_no_path_leads_out_of_the_folder_of_files(client: httpx.Client, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.csv").write_text("a,y\n1,2\n")
    answer = client.post("/api/data/import", json={"data": name, "name": "x"})
    assert answer.status_code in {403, 404}, answer.text
    answer = client.post("/api/predict", json={"model": "m", "data": [{"a": 1}], "output": name})
    assert answer.status_code in {403, 404}
    assert client.request("PUT", "/api/files/%2e%2e/evil.csv", content=b"x").status_code in {403, 404}
    assert not (tmp_path / "evil.csv").exists()


def test_errors_are_objects_with_a_status(client: httpx.Client) -> None:
    missing = client.get("/api/models/show", params={"model": "nothing"})
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "not-found"
    assert client.get("/api/models/show").status_code == 400
    assert client.get("/api/models/list", params={"nmae": "x"}).json()["error"]["remedy"] == "Did you mean name?"
    assert client.post("/api/predict", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert client.post("/api/predict", content=b"[]", headers={"content-type": "application/json"}).status_code == 400
    assert client.post("/api/predict", content=b"a=1").status_code == 400
    assert client.get("/api/jobs/none").status_code == 404
    failed = finished(client, client.post("/api/fit", json={"data": ROWS, "target": "z", "name": "x"}))
    assert failed["state"] == "failed"
    assert "y" in failed["error"]["remedy"]


@pytest.mark.parametrize(
    ("wrong", "happened", "remedy"),
    [
        ({"taget": "y"}, "fit has no parameter 'taget'", "Did you mean target?"),
        ({"rounds": "many"}, "rounds must be a whole number from 0", None),
        ({"budget": "soon"}, "the duration cannot be read", "Write a duration such as 60s"),
    ],
)
def test_wrong_parameters_of_a_long_operation_are_refused_before_it_is_a_job(
    client: httpx.Client, wrong: dict[str, str], happened: str, remedy: str | None
) -> None:
    answer = client.post("/api/fit", json={"data": ROWS, "target": "y", "name": "x"} | wrong)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad-input")
    assert happened in error["happened"]
    assert (error["remedy"] or "").startswith(remedy or "")


def test_a_long_operation_without_what_it_needs_is_refused_before_it_is_a_job(client: httpx.Client) -> None:
    answer = client.post("/api/explain", json={"data": ROWS})
    assert answer.status_code == 400
    assert answer.json()["error"]["happened"] == "explain needs model"


def test_pages_of_other_origins_are_refused(client: httpx.Client) -> None:
    assert client.get("/api/models/list", headers={"host": "evil.example"}).status_code == 403
    assert client.post("/api/predict", json={}, headers={"origin": "http://evil.example"}).status_code == 403
    own = {"origin": f"http://127.0.0.1:{client.base_url.port}"}
    assert client.get("/api/models/list", headers=own).status_code == 200


@pytest.mark.parametrize(("host", "own"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)])
def test_only_loopback_is_listened_on(tmp_path: Path, host: str, own: bool) -> None:
    assert is_loopback(host) is own
    if not own:
        with pytest.raises(Refused):
            serve(tmp_path, host=host)


def test_server_command_answers_and_stops(luban: CommandLine) -> None:
    process = luban.start("server", "--port", "0")
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", said)
        assert found, said
        assert httpx.get(found.group(), timeout=LONG).json()["openapi"] == "/openapi.json"
    finally:
        process.terminate()
        _, err = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert "Traceback" not in err


def test_python_and_rest_and_command_give_the_same(client: httpx.Client, tmp_path: Path) -> None:
    import luban

    finished(client, client.post("/api/data/import", json={"data": ROWS, "name": "same"}))
    over_rest = client.get("/api/data/list").json()
    in_python = luban.data.list(workspace=tmp_path / ".luban")
    command = subprocess.run(
        [sys.executable, "-m", "luban", "data", "list", "--json", "-w", str(tmp_path / ".luban")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(command.stdout) == over_rest
    assert over_rest["datasets"][0]["dataset"] == in_python.datasets[0].dataset == "same/1"


def test_name_without_an_ending_is_a_data_set_and_never_a_file_beside_the_server(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("a,y\n1,2\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "secret.csv").write_text("a,y\n1,2\n")
    for name in ("secret", "folder", "folder/secret"):
        job = client.post("/api/data/profile", json={"data": name})
        assert job.status_code in {400, 404}, job.text
        assert client.post("/api/data/diff", json={"before": name, "after": ROWS}).status_code in {400, 404}


def test_bodies_have_limits(client: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from luban.surfaces.rest import bodies

    monkeypatch.setattr(bodies, "MOST_JSON", 1000)
    monkeypatch.setattr(bodies, "MOST_UPLOADED", 1000)
    answer = client.post("/api/predict", json={"model": "m", "data": ROWS})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too-large"
    undeclared = (b"x" * 100 for _ in range(50))
    assert client.put("/api/files/big.csv", content=undeclared).status_code == 413
    assert not [path for path in (tmp_path / ".luban" / "files").rglob("*") if path.is_file()]


def test_what_is_uploaded_is_never_shown_as_a_page(client: httpx.Client) -> None:
    client.put("/api/files/page.html", content=b"<script>alert(1)</script>")
    answer = client.get("/api/files/page.html")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_wrong_routes_and_hosts_get_objects_too(client: httpx.Client) -> None:
    assert client.get("/api/nothing").json()["error"]["happened"] == "not found"
    refused = client.get("/api/fit")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.json()["error"] == {
        "code": "method-not-allowed",
        "happened": "the route does not take GET",
        "seen": "GET /api/fit",
        "remedy": "Ask it with POST. The routes: /docs.",
    }
    assert client.get("/", headers={"host": "[bad"}).status_code == 403
    assert client.post("/api/predict", json={}, headers={"origin": "null"}).status_code == 403


@pytest.mark.parametrize("status", [400, 403, 418, 503])
def test_what_http_itself_refuses_keeps_its_number(status: int) -> None:
    """Not everything that is no answer is a route that is not there."""
    asked = Request({"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"x")], "query_string": b""})
    refused, headers = refusals.told(asked, HTTPException(status, "No Such Luck", headers={"retry-after": "7"}))
    assert (refused.status, refused.happened, headers) == (status, "no such luck", {"retry-after": "7"})
    assert refused.code == {403: "refused", 503: "unavailable"}.get(status, "bad-input")


def test_of_a_path_with_several_routes_all_methods_are_told(client: httpx.Client) -> None:
    refused = client.post("/api/files/rows.csv", content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, PUT")
    assert refused.json()["error"]["remedy"].startswith("Ask it with GET or PUT.")
    refused = client.put("/api/2.0/mlflow/runs/get")
    assert refused.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST", (
        "there what no route takes is told by MLflow's words"
    )
    refused = client.put("/api/3.0/mlflow/server-info")
    assert (refused.status_code, refused.json()["error_code"]) == (405, "ENDPOINT_NOT_FOUND")
    assert refused.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("remedy", "request_"),
    [
        ("List them: luban runs list", "List them: GET /api/runs/list"),
        (
            "It may reject it: luban approvals approve 01ab",
            'It may reject it: POST /api/approvals/approve {"approval": "01ab"}',
        ),
        ("See: luban runs show 01ab.", "See: GET /api/runs/show?run=01ab."),
        (
            "Move it (luban models promote a/VERSION --alias champion), or wait.",
            'Move it (POST /api/models/promote {"model": "a/VERSION", "alias": "champion"}), or wait.',
        ),
        ("Look at it again: luban deployments show.", "Look at it again: GET /api/deployments/show."),
        ("See it; luban update learns from them.", "See it; POST /api/update learns from them."),
        (
            "Use luban explain (luban.explain in Python) samples.",
            "Use POST /api/explain (luban.explain in Python) samples.",
        ),
        ("Sign it: luban models sign a/1 --key KEY", "Sign it: luban models sign a/1 --key KEY"),
        ("Give --resume alone.", "Give --resume alone."),
    ],
)
def test_a_remedy_over_rest_is_a_request_where_the_server_offers_it(remedy: str, request_: str) -> None:
    """What only the machine itself can do stays a command, and of a sentence that goes on the verb alone is changed."""
    assert words.requests(remedy) == request_


def test_what_a_remedy_asks_for_can_be_asked_for(client: httpx.Client) -> None:
    remedy = client.get("/api/approvals/show", params={"approval": "none"}).json()["error"]["remedy"]
    method, path = remedy.removeprefix("List them: ").split(" ")
    assert client.request(method, path).json() == []
    job = finished(client, client.post("/api/fit", json={"resume": "none"}))
    assert job["error"]["remedy"] == "List them: GET /api/runs/list"


def test_job_that_is_stopped_keeps_the_best_model_so_far(client: httpx.Client) -> None:
    fit = {"data": ROWS, "target": "y", "budget": "10m", "learners": ["linear", "lightgbm"], "name": "stopped"}
    started = client.post("/api/fit", json=fit)
    until = time.monotonic() + LONG
    while True:
        news = client.get(started.json()["url"]).json()["progress"]
        if news and news["stage"] == "search" and news["done"]:
            break
        assert time.monotonic() < until, news
        time.sleep(0.05)
    assert client.delete(started.json()["url"]).status_code == 202
    job = finished(client, started)
    assert job["state"] == "finished", job
    assert job["result"]["model"] == "stopped/1"
    assert job["result"]["interrupted"] is True
    run = client.get(f"/api/runs/show?run={job['result']['run']}").json()
    assert run["run"]["state"] == "interrupted", run
    assert client.delete("/api/jobs/none").status_code == 404


def test_server_on_a_taken_port_says_so(luban: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = luban("server", "--port", str(taken.getsockname()[1]))
    assert answer.code == 2
    assert "cannot listen" in answer.err
