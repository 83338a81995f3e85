"""Who may ask `luban serve` for what: real servers, real tokens, real certificates, and an issuer of our own."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import ssl
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import small_models as small
from certificates import make_certificate
from luban.core.access import approves
from luban.core.errors import InputError, NotFound, Refused, Unavailable
from luban.serving import app as serving_app
from luban.serving.access.buckets import Buckets
from luban.serving.access.declare import OPEN, Declared, needs, walk
from luban.serving.access.gate import WRONG_AT_ONCE, Access, Gate, Rates, _Guarded, address_of, guarded
from luban.serving.access.principal import ANYBODY, NOBODY, Principal, permit
from luban.serving.access.tls import certificate
from luban.serving.access_log import AccessLog
from luban.serving.app import application
from luban.serving.models import Models
from luban.serving.routes_application import RoutesApplication
from luban.serving.runtime import Runtime
from luban.serving.server import running, serve
from luban.store import Workspace
from luban.store.clock import now
from luban.store.roles import grant
from luban.store.scopes import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = {"age": 60.0, "colour": "red", "member": False, "since": "2020-01-01", "note": "hello"}
ASK = "/models/binary/predict"


@pytest.fixture(scope="module")
def binary() -> Runtime:
    return Runtime.from_fitted(small.fitted(small.BINARY), name="binary", version=1)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        yield opened


@pytest.fixture
def url(workspace: Workspace, binary: Runtime) -> Iterator[str]:
    with running([binary], tokens=workspace.tokens) as where:
        yield where


def ask(url: str, token: str | None = None, path: str = ASK, **headers: str) -> httpx.Response:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if path == ASK:
        return httpx.post(url + path, json={"rows": [ROW]}, headers=headers, timeout=180)
    return httpx.get(url + path, headers=headers, timeout=180)


def until(status: int, url: str, token: str | None) -> None:
    """Ask until a request is answered so."""
    deadline = time.monotonic() + 180
    while ask(url, token).status_code != status:
        assert time.monotonic() < deadline, f"no {status} ever"
        time.sleep(0.02)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the store is waited for as long as it takes: on a busy machine it may be longer than a server waits."""
    monkeypatch.setattr("luban.serving.access.known._PATIENCE", 180.0)


def routes_of(runtime: Runtime) -> list[tuple[str, Any, Any]]:
    """Return (path, route, what it declares) of every route of the application, whatever is around it."""
    models = Models([runtime])
    app: Any = application(models)
    models.close()
    while not hasattr(app, "routes"):
        app = app._app
    return list(walk(app.routes))


# --- routes ---------------------------------------------------------------------------------------


def test_every_route_says_what_it_needs(binary: Runtime) -> None:
    """All routes of the application are declared and behind the gate; open are those that only say that it lives."""
    found = routes_of(binary)
    assert len(found) > 8
    for path, route, declared in found:
        assert declared is not None, f"{path} does not say what it needs"
        assert isinstance(route.app, _Guarded), f"{path} is not behind the gate"
        if "{model}" in path:
            assert declared.subject == "model", f"{path} does not say which model it is about"
    opened = {path for path, _, declared in found if declared.need == OPEN}
    assert opened <= {"/v2/health/live", "/v2/health/ready", "/ping", "/health", "/version"}
    needed = {path: declared.need for path, _, declared in found}
    assert needed["/metrics"] == "read"
    assert needed["/v2/models/{model}/infer"] == "infer"


def test_no_route_answers_a_stranger(workspace: Workspace, binary: Runtime, url: str) -> None:
    """Asked without a token and with a wrong one, every route of the running server but the open ones refuses."""
    workspace.tokens.create("ci", scopes=["infer"])
    until(401, url, None)
    with httpx.Client(base_url=url, timeout=180) as client:
        for path, route, declared in routes_of(binary):
            for method in sorted(route.methods):
                filled = path.replace("{model}", "binary").replace("{version}", "1")
                answer = client.request(method, filled.split("{")[0], headers={"content-type": "application/json"})
                assert (answer.status_code != 401) == (declared.need == OPEN), f"{method} {path}: {answer.status_code}"
        assert client.get("/no/such/route").status_code == 401  # nor is it told what there is
        assert client.get("/v2/health/live/").status_code == 401


def test_a_route_that_says_nothing_is_refused_to_everybody() -> None:
    routes = [
        Route("/forgotten", lambda _request: PlainTextResponse("secret")),
        Mount("/below", routes=[Route("/forgotten", lambda _request: PlainTextResponse("secret"))]),
        *needs("read", Mount("/said", routes=[Route("/for-all", lambda _request: PlainTextResponse("fine"))])),
        *needs("infer", Mount("/opaque", app=PlainTextResponse("fine"))),
    ]
    inner = RoutesApplication(routes)
    guarded(inner.routes)
    app = Access(inner, Gate(), routes, serving_app._refusal)

    async def statuses() -> dict[str, int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            paths = ("/forgotten", "/below/forgotten", "/said/for-all", "/opaque/x")
            return {path: (await client.get(path)).status_code for path in paths}

    assert asyncio.run(statuses()) == {
        "/forgotten": 403,
        "/below/forgotten": 403,
        "/said/for-all": 200,
        "/opaque/x": 200,
    }
    with pytest.raises(ValueError, match="needs one of"):
        needs("everything", *routes)  # type: ignore[arg-type]


def test_without_the_gate_nobody_gets_through() -> None:
    """An application whose gate was forgotten refuses: who asks is nobody."""
    routes = needs("infer", Route("/x", lambda _request: PlainTextResponse("secret")))
    inner = RoutesApplication(routes)
    guarded(inner.routes)

    async def status() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(inner), base_url="http://localhost") as client:
            return (await client.get("/x")).status_code

    assert asyncio.run(status()) == 403


def test_a_websocket_is_closed(binary: Runtime) -> None:
    models, sent = Models([binary]), []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/", "headers": [], "client": ("127.0.0.1", 1)}
    asyncio.run(application(models)(scope, receive, send))
    models.close()
    assert sent == [{"type": "websocket.close", "code": 1008}]


# --- tokens ---------------------------------------------------------------------------------------


def test_on_loopback_it_works_until_a_token_is_made_and_then_needs_one(workspace: Workspace, url: str) -> None:
    assert ask(url).status_code == 200
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    until(401, url, None)
    assert ask(url, text).status_code == 200
    refused = ask(url)
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in refused.json()["error"]
    assert ask(url, path="/v2/health/live").status_code == 200
    assert ask(url, "luban_wrong", path="/v2/health/ready").status_code == 200


def test_a_revoked_token_is_soon_refused_also_on_an_open_connection(workspace: Workspace, url: str) -> None:
    """While requests come, without a pause among them that would make one wait for a look at the store."""
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    until(401, url, None)
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {text}"}, timeout=180) as client:
        assert client.post(ASK, json={"rows": [ROW]}).status_code == 200
        workspace.tokens.revoke("ci")
        deadline = time.monotonic() + 180
        while client.post(ASK, json={"rows": [ROW]}).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert ask(url).status_code == 401  # and it is not open again because there is no good one


@pytest.mark.usefixtures("patient")
def test_an_idle_server_honours_a_revocation_with_its_first_answer(workspace: Workspace, url: str) -> None:
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    until(401, url, None)
    assert ask(url, text).status_code == 200
    workspace.tokens.revoke("ci")
    time.sleep(1.1)
    assert ask(url, text).status_code == 401


def test_an_expired_token_is_refused_without_a_look_at_the_store(
    workspace: Workspace, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = workspace.tokens.create("ci", scopes=["infer"], expires=now() + datetime.timedelta(hours=1))
    until(401, url, None)
    assert ask(url, text).status_code == 200
    later = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + 3601)
    monkeypatch.setattr("luban.serving.access.known.time", later)
    assert ask(url, text).status_code == 401


def test_a_scope_opens_its_routes_and_no_others(workspace: Workspace, url: str) -> None:
    tokens = {scope: workspace.tokens.create(scope, scopes=[scope])[1] for scope in SCOPES}
    until(401, url, None)
    look = {"/metrics", "/"}
    for scope, allowed in {"infer": {ASK, "/"}, "read": look, "write": look, "admin": {ASK, *look}}.items():
        for path in (ASK, "/metrics", "/"):
            assert ask(url, tokens[scope], path).status_code == (200 if path in allowed else 403), (scope, path)


def test_a_token_for_some_models_is_good_for_those_alone(workspace: Workspace, binary: Runtime) -> None:
    other = Runtime.from_fitted(small.fitted(small.BINARY), name="other", version=1)
    with running([binary, other], tokens=workspace.tokens) as url:
        _, text = workspace.tokens.create("ci", scopes=["infer"], only=["binary"])
        until(401, url, None)
        assert ask(url, text).status_code == 200
        assert ask(url, text, "/v2/models/binary").status_code == 200
        refused = ask(url, text, "/v2/models/other")
        assert (refused.status_code, "'other'" in refused.json()["error"]) == (403, True)
        assert ask(url, text, "/v2/models/no-such").status_code == 403  # nor is it told what there is
        assert ask(url, text, "/v2/models/%6fther").status_code == 403
        assert ask(url, text, "/").status_code == 403  # which lists the others
        assert ask(url, text, "/metrics").status_code == 403


def test_what_is_no_token_is_refused(workspace: Workspace, url: str) -> None:
    workspace.tokens.create("ci", scopes=["infer"])
    until(401, url, None)
    guess = "Bearer luban_0000000000_" + 43 * "a"
    for header in (
        "",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        guess,
        "Bearer " + 5000 * "x",
        "Bearer \xff\xfe",
        "Bearer a.b.c",
    ):
        answer = httpx.get(url + "/", headers=[(b"authorization", header.encode("latin-1"))], timeout=180)
        assert answer.status_code == 401, header
        assert guess[20:] not in answer.text


def test_a_token_with_another_ones_id_or_a_changed_letter_is_refused(workspace: Workspace, url: str) -> None:
    _, one = workspace.tokens.create("one", scopes=["infer"])
    _, two = workspace.tokens.create("two", scopes=["admin"])
    until(401, url, None)
    assert ask(url, two[:17] + one[17:]).status_code == 401
    assert ask(url, one.upper()).status_code == 401
    assert ask(url, one[:-1]).status_code == 401
    assert ask(url, f" {one}").status_code == 200
    assert ask(url, path=f"/?token={two}").status_code == 401  # addresses are logged: a token there counts for nothing


def test_while_the_store_is_away_good_tokens_stay_good(
    workspace: Workspace, binary: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not answer does not stop a server at once; after minutes nobody is let in."""
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    with running([binary], tokens=workspace.tokens) as url:
        assert ask(url, text).status_code == 200

        def away() -> str:
            raise Unavailable("the database does not answer")

        monkeypatch.setattr(workspace.tokens, "mark", away)
        time.sleep(1.2)
        assert ask(url, text).status_code == 200
        assert ask(url).status_code == 401
        monkeypatch.setattr("luban.serving.access.known.AWAY", 1.0)
        assert ask(url, text).status_code == 503


# --- rates ----------------------------------------------------------------------------------------


@given(st.floats(0.1, 1000.0), st.lists(st.floats(0.0, 2.0), min_size=1, max_size=60))
def test_a_bucket_never_gives_more_than_its_rate_and_a_full_bucket(rate: float, waits: list[float]) -> None:
    """Over any pattern of requests at most rate x time + burst are taken; and who waits as told is served."""
    clock = [0.0]
    buckets = Buckets(rate, clock=lambda: clock[0])
    taken = 0
    for wait in waits:
        clock[0] += wait
        told = buckets.take("x")
        taken += told == 0
        if told:
            assert buckets.wait("x") == told
            clock[0] += told * (1 + 1e-9) + 1e-9
            assert buckets.take("x") == 0
            taken += 1
        assert taken <= rate * clock[0] + max(1.0, rate) + 1e-6


def test_buckets_are_bounded_and_apart() -> None:
    buckets = Buckets(1.0, clock=lambda: 0.0, most=10)
    assert [buckets.take(str(one)) for one in range(100)] == [0.0] * 100
    assert len(buckets) == 10
    assert buckets.take("99") > 0


def test_a_token_has_a_rate_and_is_told_when_to_come_again(workspace: Workspace, url: str) -> None:
    _, slow = workspace.tokens.create("slow", scopes=["infer"], rate=0.02)  # one, and the next after 50 s
    _, free = workspace.tokens.create("free", scopes=["infer"])
    until(401, url, None)
    assert [ask(url, slow).status_code for _ in range(3)] == [200, 429, 429]
    assert 1 <= int(ask(url, slow).headers["retry-after"]) <= 50
    assert ask(url, free).status_code == 200


def test_a_server_has_rates_for_tokens_and_addresses(workspace: Workspace, binary: Runtime) -> None:
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    with running([binary], tokens=workspace.tokens, rates=Rates(token=0.02)) as url:
        assert 429 in [ask(url, text).status_code for _ in range(3)]
        assert ask(url).status_code == 401
    with running([binary], rates=Rates(address=0.02)) as url:
        forged = [ask(url, path="/v2/health/live", **{"x-forwarded-for": f"10.0.0.{n}"}).status_code for n in range(3)]
        assert 429 in forged  # an address that is only said changes nothing
    with pytest.raises(InputError):
        Rates(token=0.0)


def test_whoever_guesses_tokens_is_slowed_and_others_are_not(
    workspace: Workspace, binary: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luban.serving.access.gate.WRONG", 1e-6)  # so that it does not matter how long this takes
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    with running([binary], tokens=workspace.tokens) as url:
        found = [ask(url, f"luban_{number:010d}_{43 * 'x'}").status_code for number in range(WRONG_AT_ONCE + 2)]
        assert found == [401] * WRONG_AT_ONCE + [429] * 2
        assert ask(url, text).status_code == 200


def test_addresses_of_one_household_count_as_one() -> None:
    def of(address: str) -> str:
        return address_of({"client": (address, 1)})

    assert of("2001:db8::1") == of("2001:db8::ffff") != of("2001:db8:0:1::1")
    assert of("10.0.0.1") != of("10.0.0.2")
    assert address_of({"client": None}) == ""


# --- addresses and certificates -------------------------------------------------------------------


def test_other_machines_are_served_only_where_there_is_a_token(workspace: Workspace, binary: Runtime) -> None:
    with pytest.raises(Refused, match="tokens create"):
        serve([binary], "0.0.0.0", 0, tokens=workspace.tokens)
    with pytest.raises(Refused):
        serve([binary], "::", 0)
    workspace.roles.set("empty", ["infer"])
    workspace.tokens.create("ci", roles=["empty"])
    workspace.roles.remove("empty")
    with pytest.raises(Refused):  # a token that may do nothing is none
        serve([binary], "0.0.0.0", 0, tokens=workspace.tokens)
    _, text = workspace.tokens.create("real", scopes=["infer"])
    with running([binary], "0.0.0.0", tokens=workspace.tokens) as everywhere:
        url = everywhere.replace("0.0.0.0", "127.0.0.1")
        assert ask(url, text).status_code == 200
        assert ask(url, text, host="any.example").status_code == 200  # it has names that we do not know
        workspace.tokens.revoke("real")
        until(401, url, text)


def test_pages_of_other_origins_and_forged_hosts_are_refused(url: str) -> None:
    assert ask(url, origin="https://evil.example").status_code == 403
    assert ask(url, origin="null").status_code == 403
    assert ask(url, origin=url).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost:80@evil.example", "[::1].evil"):
        assert ask(url, host=host).status_code == 421, host


def test_a_certificate_makes_it_https(workspace: Workspace, binary: Runtime, tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    with running([binary], tokens=workspace.tokens, certificate=certificate(*files)) as url:
        assert url.startswith("https://")
        context = ssl.create_default_context(cafile=str(files[0]))
        with httpx.Client(base_url=url, verify=context, timeout=180) as client:
            assert client.get("/v2/health/live").status_code == 200
            assert client.post(ASK, json={"rows": [ROW]}).status_code == 401
            bearer = {"authorization": f"Bearer {text}"}
            assert client.post(ASK, json={"rows": [ROW]}, headers=bearer).status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, timeout=180)  # whose certificate nobody vouches for
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"), timeout=180)


def test_certificates_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    one, other = make_certificate(tmp_path), make_certificate(tmp_path, "other")
    locked = make_certificate(tmp_path, "locked", b"secret")
    (tmp_path / "no.pem").write_text("hello")
    assert certificate(None, None) is None
    for files, words in [
        ((one[0], None), "only the certificate"),
        ((None, one[1]), "only the key"),
        ((one[0], other[1]), "not the one of the certificate"),
        ((tmp_path / "no.pem", one[1]), "cannot be read"),
        ((one[0], tmp_path / "no.pem"), "cannot be read"),
        (locked, "without a password"),
    ]:
        with pytest.raises(InputError) as error:
            certificate(*files)
        assert words in str(error.value), str(error.value)
    with pytest.raises(NotFound, match="no file with the key"):
        certificate(one[0], tmp_path / "absent")
    with pytest.raises(NotFound):
        certificate(tmp_path, one[1])


# --- logs -----------------------------------------------------------------------------------------


def test_tokens_are_in_no_log_and_whose_they_are_is(
    workspace: Workspace, binary: Runtime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent in the header, the path, the query and a body, good or not, a token is in no line of the log."""
    stream = io.StringIO()
    monkeypatch.setattr("luban.serving.server.AccessLog", lambda: AccessLog(stream))
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    wrong = "luban_0123456789_" + 43 * "z"
    with running([binary], tokens=workspace.tokens, access_log=True) as url:
        for token in (text, wrong):
            ask(url, token)
            ask(url, token, f"/v2/models/{token}")
            ask(url, token, f"/?key={token}")
            ask(url, text, **{"x-request-id": token, "x-luban-subject": token})
            bearer = {"authorization": f"Bearer {text}"}
            answer = httpx.post(url + ASK, json={"rows": [{token: 1}]}, headers=bearer, timeout=180)
            assert token[17:] not in answer.text
    log = stream.getvalue() + "".join(capsys.readouterr())
    assert "token/ci" in log
    for token in (text, wrong):
        assert token[17:40] not in log
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {line["who"] for line in lines if line["event"] == "request"} == {"token/ci", None}


# --- people ---------------------------------------------------------------------------------------


def test_grants_are_held_against_what_is_needed() -> None:
    some = Principal(actor="x", grants=(grant(["infer"], ["a", "b"]), grant(["read"], [])))
    assert some.may("infer", ["a"])
    assert some.may("infer", ["a/3", "b@champion"])
    assert not some.may("infer", ["a", "c"])
    assert not some.may("infer")
    assert some.may("look")
    assert some.may("read", ["c"])
    assert not some.may("write", ["a"])
    assert not NOBODY.may("look")
    assert NOBODY.may("open")
    assert ANYBODY.may("admin")
    with pytest.raises(Refused):
        permit({"luban.principal": some}, "c", need="infer")
    permit({"luban.principal": some}, "a", need="infer")


def test_who_approves_some_models_says_yes_to_those() -> None:
    """A route that changes something asks for each version, not for a scope on all models, which such a token lacks."""
    said: list[bool] = []

    async def endpoint(*_: Any) -> None:
        said.extend(approves(reference) for reference in ("house/2", "house/3", "barn/2"))

    some = Principal(actor="x", grants=(grant(["write"], []), grant(["approve"], ["house"])))
    one = _Guarded(endpoint, Declared(need="write"))
    asyncio.run(one({"type": "http", "luban.principal": some}, None, None))  # type: ignore[arg-type]
    assert said == [True, True, False]
    assert approves("barn/2"), "at the machine itself"
