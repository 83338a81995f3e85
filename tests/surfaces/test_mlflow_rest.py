# ruff: noqa: E501 - addresses and filters, one a line
"""MLflow's REST API over the wire: shapes of errors, limits, addresses that lead elsewhere, tokens, filters."""

from __future__ import annotations

import errno
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from starlette.testclient import TestClient

import luban
from luban.core.errors import InputError, Unsupported
from luban.learners import artifact
from luban.store import Workspace
from luban.surfaces.mlflow.filters import Term, holds, parse, parse_order
from luban.surfaces.mlflow.routes import _READ, _WRITE
from luban.surfaces.rest import application

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API, FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
INVALID, ABSENT, DENIED = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.open(tmp_path_factory.mktemp("mlflow") / ".luban", actor="owner") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(application(workspace), base_url="http://127.0.0.1") as made:
        yield made


def post(client: TestClient, path: str, method: str = "POST", **body: Any) -> Any:
    answer = client.request(method, API + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def run(client: TestClient) -> str:
    """The identifier of a new run that keeps one file."""
    made: str = post(client, "/runs/create", experiment_id="0")["run"]["info"]["run_id"]
    assert client.put(f"{FILES}/0/{made}/artifacts/model/MLmodel", content=b"flavors: {}\n").status_code == 200
    return made


def refused(answer: Any, status: int, code: str) -> None:
    """Check the form of an error: what MLflow's clients read, and no more."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error_code", "message"}
    assert answer.json()["error_code"] == code


def test_errors_have_mlflows_form(client: TestClient, run: str) -> None:
    refused(client.get(f"{API}/runs/get", params={"run_id": "absent"}), 404, ABSENT)
    refused(client.get(f"{API}/runs/get", params={"run_id": run[:6]}), 404, ABSENT)
    refused(client.get(f"{API}/runs/get"), 400, INVALID)
    refused(
        client.get(f"{API}/experiments/get-by-name", params={"experiment_name": "x"}), 404, "RESOURCE_DOES_NOT_EXIST"
    )
    refused(client.get(f"{API}/gateway/endpoints/list"), 404, ABSENT)
    refused(client.post(f"{API}/runs/log-metric", content=b"{", headers={"content-type": "application/json"}), 400,
            INVALID)  # fmt: skip
    refused(client.post(f"{API}/runs/log-metric", json=[1]), 400, INVALID)
    post(client, "/experiments/create", name="twice")
    refused(client.post(f"{API}/experiments/create", json={"name": "twice"}), 400, "RESOURCE_ALREADY_EXISTS")
    refused(client.post(f"{API}/experiments/delete", json={"experiment_id": "0"}), 403, DENIED)


@pytest.mark.parametrize(
    "body",
    [
        {"metrics": [{"key": "m", "value": "low", "timestamp": 1, "step": 0}]},
        {"metrics": [{"key": "m", "value": 1, "timestamp": "soon", "step": 0}]},
        {"metrics": [{"key": "m", "value": 1, "timestamp": 1, "step": 1 << 70}]},
        {"metrics": [{"key": "m" * 251, "value": 1, "timestamp": 1}]},
        {"metrics": [{"key": "ok", "value": 1, "timestamp": 1}, {"key": None, "value": 1, "timestamp": 1}]},
        {"metrics": {"key": "m"}},
        {"metrics": [{"key": "m", "value": 1, "timestamp": 1}] * 1001},
        {"params": [{"key": f"p{n}", "value": "1"} for n in range(101)]},
        {"params": [{"key": "p", "value": "1"}, {"key": "p", "value": "2"}]},
        {"params": [{"key": "p", "value": "x" * 6001}]},
        {"tags": [{"key": f"t{n}", "value": "1"} for n in range(101)]},
        {"tags": [{"key": "t", "value": "x" * 8001}]},
        {"tags": [{"key": "luban.imported", "value": "x"}]},
        {"tags": [{"key": "a\x00b", "value": "x"}]},
    ],
)
def test_a_bad_batch_changes_nothing(client: TestClient, run: str, body: dict[str, Any]) -> None:
    good = {"metrics": [{"key": "good", "value": 1, "timestamp": 1}], "params": [], "tags": []}
    whole = {
        name: [*good[name], *body.get(name, [])] if isinstance(body.get(name, []), list) else body[name]
        for name in good
    }
    refused(client.post(f"{API}/runs/log-batch", json={"run_id": run, **whole}), 400, INVALID)
    data = client.get(f"{API}/runs/get", params={"run_id": run}).json()["run"]["data"]
    assert data["metrics"] == data["params"] == []


def test_a_batch_above_a_megabyte_is_refused(client: TestClient, run: str) -> None:
    metrics = [{"key": f"{'m' * 200}{n}", "value": 1, "timestamp": 1, "filler": "x" * 900} for n in range(1000)]
    refused(
        client.post(f"{API}/runs/log-batch", json={"run_id": run, "metrics": metrics}), 413, "REQUEST_LIMIT_EXCEEDED"
    )


def test_a_full_disk_is_told_and_leaves_nothing(
    client: TestClient, run: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload for which there is no room is refused as one to try again; what came of it is removed."""
    from luban.surfaces.rest import bodies

    async def full(_request: object, path: Path, **_more: object) -> int:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bodies, "receive", full)
    left = workspace.root / "incoming" / "left"
    left.mkdir()
    os.utime(left, (0, 0))
    refused(client.put(f"{FILES}/0/{run}/artifacts/x", content=b"whole"), 503, "TEMPORARILY_UNAVAILABLE")
    assert list((workspace.root / "incoming").iterdir()) == []
    assert [one.path for one in workspace.artifacts.list(run)] == ["model/MLmodel"]


ELSEWHERE = [
    "..",
    "../..",
    "%2e%2e",
    "..%2f..",
    "%252e%252e",
    "..\\..",
    "/etc",
    "C:",
    "a/../../b",
    "a//b",
    "#",
    "?",
]


@pytest.mark.parametrize("part", ELSEWHERE)
def test_addresses_of_artifacts_lead_nowhere_else(
    client: TestClient, run: str, workspace: Workspace, part: str
) -> None:
    """No spelling of a path reads or writes anything but files that the run keeps (CVE-2023-6977, CVE-2024-1483)."""
    before = sorted(str(path) for path in workspace.root.rglob("*") if path.is_file() and "blobs" not in str(path))
    for address in (
        f"0/{run}/artifacts/{part}/x",
        f"0/{part}/artifacts/x",
        f"{part}/{run}/artifacts/x",
        f"registered/{part}/1/x",
    ):
        for answer in (
            client.get(f"{FILES}/{address}"),
            client.put(f"{FILES}/{address}", content=b"x"),
            client.delete(f"{FILES}/{address}"),
            client.get(FILES, params={"path": address}),
        ):
            if part in "#?" and answer.status_code == 200:
                continue  # what follows is no part of the path: the folder itself
            assert answer.status_code in (400, 403, 404, 405), (address, answer.text)
    listed = client.get(f"{API}/artifacts/list", params={"run_id": run, "path": part})
    assert listed.status_code in (200, 400, 404)
    assert not listed.json().get("files")
    after = sorted(str(path) for path in workspace.root.rglob("*") if path.is_file() and "blobs" not in str(path))
    assert before == after
    assert [one.path for one in workspace.artifacts.list(run)] == ["model/MLmodel"]


@pytest.mark.parametrize(
    "source",
    ["/etc", "file:///etc", "file:/etc/passwd", "http://169.254.169.254/x", "s3://bucket/x", "mlflow-artifacts://host/0/x",
     "mlflow-artifacts:/../../etc", "runs:/{run}/../../x", "runs:/{run}/model#/../..", "runs:/{run}/model?x=1",
     "models:/other/1", "models:/m-{run}", "dbfs:/x", "mlflow-artifacts:/0/{run}/artifacts/%2e%2e/x", "", "runs:/{run}/absent"],
)  # fmt: skip
def test_sources_of_versions_are_what_was_logged_here(client: TestClient, run: str, source: str) -> None:
    """A version is made from files that this server keeps, never from a place it would have to read (CVE-2024-3848)."""
    name = f"m-{run}"
    post(client, "/registered-models/create", name=name)
    answer = client.post(f"{API}/model-versions/create", json={"name": name, "source": source.format(run=run)})
    assert answer.status_code in (400, 404), answer.text
    assert set(answer.json()) == {"error_code", "message"}
    location = client.post(
        f"{API}/experiments/create", json={"name": f"e{source}{run}", "artifact_location": "file:///etc"}
    )
    refused(location, 400, INVALID)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "a:b", "-x", "a\nb", "x" * 101])
def test_names_of_models_never_read_as_paths(client: TestClient, name: str) -> None:
    refused(client.post(f"{API}/registered-models/create", json={"name": name}), 400, INVALID)
    refused(client.get(f"{API}/registered-models/get", params={"name": name}), 400, INVALID)


def test_a_foreign_version_is_kept_listed_and_given_back_but_not_loaded(
    client: TestClient, run: str, workspace: Workspace
) -> None:
    """Its files stay as they were registered, whatever becomes of the run; Luban says why it does not load it."""
    post(client, "/registered-models/create", name="theirs", tags=[{"key": "a", "value": "b"}])
    made = post(client, "/model-versions/create", name="theirs", source=f"runs:/{run}/model", run_id=run)[
        "model_version"
    ]
    assert (made["version"], made["status"], made["run_id"]) == ("1", "READY", run)
    client.delete(f"{FILES}/0/{run}/artifacts/model")
    uri = client.get(f"{API}/model-versions/get-download-uri", params={"name": "theirs", "version": "1"}).json()[
        "artifact_uri"
    ]
    got = client.get(f"{FILES}/{uri.removeprefix('mlflow-artifacts:/')}/MLmodel")
    assert got.content == b"flavors: {}\n"
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    refused(client.put(f"{FILES}/registered/theirs/1/MLmodel", content=b"x"), 403, DENIED)
    version = workspace.models.get("theirs")
    assert (version.task.kind, version.run) == ("foreign", run)
    with pytest.raises(Unsupported, match="one of MLflow's"):
        artifact.read(workspace.blobs, version.artifact)
    with pytest.raises(Unsupported, match="cannot answer with it"):
        luban.deploy("theirs", workspace=workspace)
    assert luban.models.verify("theirs", workspace=workspace).payloads == 1
    workspace.models.verify("theirs/1")
    post(client, "/registered-models/alias", name="theirs", alias="best", version="1")
    for alias in ("latest", "v1"):
        body = {"name": "theirs", "alias": alias, "version": "1"}
        refused(client.post(f"{API}/registered-models/alias", json=body), 400, INVALID)
    stage = post(client, "/model-versions/transition-stage", name="theirs", version="1", stage="production")
    assert stage["model_version"]["current_stage"] == "Production"
    post(client, "/registered-models/delete", "DELETE", name="theirs")
    refused(client.get(f"{API}/registered-models/get", params={"name": "theirs"}), 404, ABSENT)


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"mlflow.source.git.commit": COMMIT, "mlflow.source.name": "train.py"}, {"commit": COMMIT, "state": "changes not told"}),
        ({"mlflow.git.commit": COMMIT, "mlflow.git.dirty": "True"}, {"commit": COMMIT, "state": "changed"}),
        ({"mlflow.source.git.commit": COMMIT, "mlflow.source.git.repoURL": "https://ada:secret@host/x.git"}, {"repository": "https://host/x.git"}),
        ({"mlflow.source.git.commit": "../../x", "mlflow.source.name": "train.py"}, {"commit": None, "state": "no commit told"}),
        ({"team": "a"}, None),
    ],
)  # fmt: skip
def test_a_version_records_the_code_that_its_client_told_of(
    client: TestClient, run: str, workspace: Workspace, tags: dict[str, str], expected: dict[str, Any] | None
) -> None:
    for key, value in tags.items():
        post(client, "/runs/set-tag", run_id=run, key=key, value=value)
    post(client, "/registered-models/create", name=f"coded-{run}")
    post(client, "/model-versions/create", name=f"coded-{run}", source=f"runs:/{run}/model", run_id=run)
    version = workspace.models.verify(f"coded-{run}/1")
    if expected is None:
        assert version.code is None
    else:
        assert version.code is not None
        assert workspace.blobs.get_json(version.code).items() >= expected.items()
        assert "secret" not in workspace.blobs.get(version.code).decode()
        assert "code" in luban.models.verify(f"coded-{run}", workspace=workspace).records


@pytest.mark.long
def test_a_version_is_signed_and_unsigned_ones_are_kept_back_where_that_is_wanted(
    client: TestClient, run: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key at hand the server signs what clients register, as every version; `signed-only` counts for downloads."""
    monkeypatch.setenv("LUBAN_KEYS", str(tmp_path))
    name = f"signed-{run}"
    post(client, "/registered-models/create", name=name)
    post(client, "/model-versions/create", name=name, source=f"runs:/{run}/model")
    luban.keys.create("ada", workspace=workspace)
    monkeypatch.setenv("LUBAN_SIGNING_KEY", "ada")
    post(client, "/model-versions/create", name=name, source=f"runs:/{run}/model")
    signed = [luban.models.verify(f"{name}/{number}", workspace=workspace).signed_by for number in (1, 2)]
    assert signed == [(), ("ada",)]
    monkeypatch.setenv("LUBAN_SIGNED_ONLY", "1")
    refused(client.get(f"{FILES}/registered/{name}/1/MLmodel"), 403, DENIED)
    assert client.get(f"{FILES}/registered/{name}/2/MLmodel").status_code == 200
    monkeypatch.setenv("LUBAN_SIGNING_KEY", "absent")
    body = {"name": name, "source": f"runs:/{run}/model"}
    assert client.post(f"{API}/model-versions/create", json=body).status_code == 404
    assert [one.version for one in workspace.models.versions(name)] == [1, 2]


def test_pages_hold_all_rows_once(client: TestClient) -> None:
    """Runs, experiments and values of a metric come in pages without a gap or a repetition."""
    experiment = post(client, "/experiments/create", name="pages")["experiment_id"]
    for number in range(7):
        made = post(client, "/runs/create", experiment_id=experiment, run_name=f"r{number}")["run"]["info"]["run_id"]
    metrics = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(25)]
    post(client, "/runs/log-batch", run_id=made, metrics=metrics)
    found: list[str] = []
    token = None
    while token != "":
        body = {
            "experiment_ids": [experiment],
            "max_results": 3,
            "order_by": ["attributes.start_time ASC"],
            "page_token": token,
        }
        page = post(client, "/runs/search", **body)
        found += [one["info"]["run_name"] for one in page["runs"]]
        token = page.get("next_page_token", "")
    assert found == [f"r{number}" for number in range(7)]
    values: list[float] = []
    token = None
    while token != "":
        given = {"run_id": made, "metric_key": "m", "max_results": 10, **({"page_token": token} if token else {})}
        history = client.get(f"{API}/metrics/get-history", params=given).json()
        values += [one["value"] for one in history["metrics"]]
        token = history.get("next_page_token", "")
    assert values == list(range(25))
    refused(client.post(f"{API}/runs/search", json={"experiment_ids": [experiment], "page_token": "x"}), 400,
            INVALID)  # fmt: skip


def test_tokens_guard_every_route(tmp_path: Path) -> None:
    """Without a token nothing is answered, in MLflow's form; reading needs read, and logging needs write."""
    with Workspace.open(tmp_path / ".luban") as workspace:
        keys = {scope: workspace.tokens.create(scope, scopes=[scope])[1] for scope in ("infer", "read", "write")}
        with TestClient(application(workspace), base_url="http://127.0.0.1") as client:

            def ask(scope: str, method: str, path: str, **body: Any) -> Any:
                headers = {"authorization": f"Bearer {keys[scope]}"} if scope else {}
                return client.request(method, path, headers=headers, **body)

            new = {"json": {"experiment_id": "0"}}
            refused(ask("", "POST", f"{API}/runs/create", **new), 401, "UNAUTHENTICATED")
            refused(ask("", "GET", f"{FILES}/0/x/artifacts/y"), 401, "UNAUTHENTICATED")
            refused(ask("read", "POST", f"{API}/runs/create", **new), 403, DENIED)
            refused(ask("infer", "GET", f"{API}/experiments/search"), 403, DENIED)
            made = ask("write", "POST", f"{API}/runs/create", **new).json()["run"]["info"]
            assert made["user_id"] == "token/write"
            assert ask("read", "GET", f"{API}/runs/get", params={"run_id": made["run_id"]}).status_code == 200
            refused(
                ask("read", "PUT", f"{FILES}/0/{made['run_id']}/artifacts/y", content=b""), 403, "PERMISSION_DENIED"
            )


def test_filters_are_read_as_mlflow_reads_them() -> None:
    assert parse("metrics.`val loss` <= -1.5e-3 AND params.a/b = 'x y' and tags.\"k k\" ILIKE '%a_'") == [
        Term(entity="metric", key="val loss", sign="<=", value=-0.0015),
        Term(entity="param", key="a/b", sign="=", value="x y"),
        Term(entity="tag", key="k k", sign="ILIKE", value="%a_"),
    ]
    assert parse(
        "tags.mlflow.user IS NOT NULL and run_id IN ('a', 'b') and params.x is null and status NOT IN ('FAILED')"
    ) == [
        Term(entity="tag", key="mlflow.user", sign="IS NOT NULL"),
        Term(entity="attribute", key="run_id", sign="IN", value=["a", "b"]),
        Term(entity="param", key="x", sign="IS NULL"),
        Term(entity="attribute", key="status", sign="NOT IN", value=["FAILED"]),
    ]
    assert parse("") == parse(None) == []
    order = parse_order(["metrics.`a b` DESC", "start_time", "params.x asc"])
    assert [(one.entity, one.key, one.descending) for one in order] == [
        ("metric", "a b", True), ("attribute", "start_time", False), ("param", "x", False),
    ]  # fmt: skip
    for bad in ("metrics.a", "metrics.a <", "a = 'b' OR c = 'd'", "x.y = 1", "a = b", "a IN 'b'", "a IN ()", "'a' = 'b'",
                "a = 'b' AND", "a = 'b",
                "metrics.a LIKE 1", "a; DROP TABLE runs"):  # fmt: skip
        with pytest.raises(InputError):
            parse(bad)


@given(some.text(alphabet="abcXY%_.*[]\\\n ", max_size=12), some.text(alphabet="abXY%_.*", max_size=8))
def test_like_is_sqls(value: str, pattern: str) -> None:
    """% stands for anything, _ for one character, all else for itself."""
    expression = "".join(".*" if mark == "%" else "." if mark == "_" else re.escape(mark) for mark in pattern)
    expected = re.fullmatch(expression, value, re.DOTALL) is not None
    assert holds(Term(entity="tag", key="t", sign="LIKE", value=pattern), value) == expected


@given(some.text(max_size=60))
def test_no_filter_breaks_the_reader(text: str) -> None:
    """Whatever is given is read, or refused as bad input."""
    try:
        parse(text)
        parse_order([text])
    except InputError:
        pass


_FIELDS = (
    "run_id", "run_uuid", "experiment_id", "experiment_ids", "experiment_name", "name", "new_name", "key", "value", "metrics", "params",
    "tags", "step", "timestamp", "status", "start_time", "end_time", "run_name", "filter", "order_by", "max_results", "page_token",
    "run_view_type", "view_type", "metric_key", "path", "model_id", "models", "datasets", "version", "alias", "source", "stage",
    "stages", "description", "artifact_location", "model_json", "source_run_id", "user_id", "model_type",
)  # fmt: skip
_VALUES = (
    None, True, 0, -1, 1 << 70, 1.5, float("inf"), "", "0", "x", "a\x00b", "\ud83d", "../..", "NaN", "999999999999999999999", [], {}, [1], [None],
    [{}], [{"key": None}], [{"key": "k", "value": {}}], [{"key": "k", "value": "NaN", "timestamp": -5, "step": "x"}], {"key": "k"}, "'", "a = ",
    "metrics.x > 'y'", "tags.x = 1", "attributes.start_time > 1e300", "status = 'WHAT'", ["metrics.x SIDEWAYS"], "x" * 5000,
)  # fmt: skip


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=some.data())
def test_no_body_makes_the_server_fail(client: TestClient, run: str, data: some.DataObject) -> None:
    """Whatever fields of whatever kinds a request has, it is answered or refused; nothing is a fault of the server."""
    method, path, _ = data.draw(some.sampled_from([*_READ, *_WRITE]))
    values = some.sampled_from([*_VALUES, run, f"m-{run}"])
    body = data.draw(some.dictionaries(some.sampled_from(_FIELDS), values, max_size=6))
    if path.startswith("/runs/") and data.draw(some.booleans()):
        body["run_id"] = run
    where = re.sub(r"\{[^}]*\}", data.draw(some.sampled_from(["m-x", f"m-{run}", "%00", "x"])), API + path)
    if method == "GET":
        plain = {name: value for name, value in body.items() if isinstance(value, str | int) and value != "\ud83d"}
        answer = client.request(method, where, params=plain)
    else:
        content = json.dumps(body)
        answer = client.request(method, where, content=content, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error_code", "message"}
