"""People whom an OpenID Connect issuer vouches for: an issuer of our own, over real HTTP, with keys made here."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import small_models as small
from luban.core.errors import InputError, Unavailable
from luban.serving.access.oidc import Issuer
from luban.serving.runtime import Runtime
from luban.serving.server import running, serve
from luban.store import Workspace

pytest.importorskip("authlib", reason="Authlib is not installed; pip install 'luban[oidc]'")
jwk = pytest.importorskip("joserfc.jwk")
jwt = pytest.importorskip("joserfc.jwt")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OwnIssuer:
    """An issuer: it describes itself, shows its public keys, and signs."""

    def __init__(self) -> None:
        self.keys = [jwk.RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})]
        self.asked: list[str] = []
        issuer = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                page: Any = {"issuer": issuer.url, "jwks_uri": issuer.url + "/keys"}
                if self.path == "/keys":
                    page = {"keys": [key.as_dict(private=False) for key in issuer.keys]}
                content = json.dumps(page).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign a token for ada; a change to None leaves a claim out."""
        claims = {"iss": self.url, "aud": "luban", "sub": "ada", "exp": int(time.time()) + 600, "roles": ["scorer"]}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        key = key or self.keys[-1]
        head = header or {"alg": "RS256", "kid": key.kid}
        text: str = jwt.encode(head, claims, key, algorithms=[head["alg"]])
        return text


@pytest.fixture(scope="module")
def binary() -> Runtime:
    return Runtime.from_fitted(small.fitted(small.BINARY), name="binary", version=1)


@pytest.fixture
def issuer() -> Iterator[OwnIssuer]:
    one = OwnIssuer()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def workspace(tmp_path: Path, issuer: OwnIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("LUBAN_OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("LUBAN_OIDC_AUDIENCE", "luban")
    # On a busy machine a look at the store may take longer than a server waits for it.
    monkeypatch.setattr("luban.serving.access.known._PATIENCE", 180.0)
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        opened.roles.set("scorer", ["infer"])
        opened.roles.set("viewer", ["read"])
        yield opened


@pytest.fixture
def url(workspace: Workspace, binary: Runtime) -> Iterator[str]:
    with running([binary], tokens=workspace.tokens) as where:
        yield where


def status(url: str, token: str | None, path: str = "/v2/models/binary") -> int:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.get(url + path, headers=headers, timeout=180).status_code


def test_a_person_with_a_role_is_let_in_and_only_for_that(issuer: OwnIssuer, url: str, workspace: Workspace) -> None:
    assert status(url, None) == 401  # with an issuer a token is needed from the beginning
    assert status(url, issuer.token()) == 200
    assert status(url, issuer.token(), "/metrics") == 403
    assert status(url, issuer.token(groups=[f"department-{number:04}" for number in range(400)])) == 200  # 10 KB
    assert status(url, issuer.token(roles=["viewer"]), "/metrics") == 200
    assert status(url, issuer.token(roles="viewer scorer"), "/metrics") == 200
    assert status(url, issuer.token(roles=["unknown", 3])) == 403
    assert status(url, issuer.token(roles=None)) == 403
    before = len(issuer.asked)
    assert status(url, issuer.token()) == 200
    assert len(issuer.asked) == before  # whose keys are asked for once
    workspace.roles.remove("scorer")
    time.sleep(1.1)
    assert status(url, issuer.token()) == 403  # what was known of a token is held against the roles of now


def test_tokens_that_prove_nothing_are_refused(issuer: OwnIssuer, url: str) -> None:
    good = issuer.token()
    head, claims, signature = good.split(".")
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "first"})
    public = issuer.keys[0].as_pem(private=False)
    confused = _unpadded(b'{"alg":"HS256","kid":"first"}') + "." + claims
    confused += "." + _unpadded(hmac.digest(public, confused.encode(), "sha256"))
    for what, text in {
        "another key": issuer.token(stranger),
        "another issuer": issuer.token(iss="https://evil.example"),
        "another audience": issuer.token(aud="shop"),
        "no audience": issuer.token(aud=None),
        "no end": issuer.token(exp=None),
        "ended": issuer.token(exp=int(time.time()) - 3600),
        "not yet": issuer.token(nbf=int(time.time()) + 3600),
        "nobody": issuer.token(sub=None),
        "no signature": f"{head}.{claims}.",
        "changed claims": f"{head}.{claims[:-2]}AA.{signature}",
        "no end of brackets": _unpadded(b"[" * 20_000) + f".{claims}.{signature}",
        "algorithm none": f"eyJhbGciOiJub25lIn0.{claims}.",
        "the public key as a secret": confused,
    }.items():
        assert status(url, text) in {401, 429}, what
    assert status(url, good) == 200


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def test_an_issuer_that_changes_its_key_is_asked_again(
    issuer: OwnIssuer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luban.serving.access.oidc._AGAIN", 1e9)
    assert status(url, issuer.token()) == 200
    issuer.keys = [jwk.RSAKey.generate_key(2048, {"kid": "second", "use": "sig", "alg": "RS256"})]
    assert status(url, issuer.token()) == 401  # it is not asked for every token
    monkeypatch.setattr("luban.serving.access.oidc._AGAIN", 0.0)
    assert status(url, issuer.token(jti="other")) == 200


def test_an_issuer_that_does_not_answer_lets_nobody_in_and_tokens_of_ours_still_are(
    issuer: OwnIssuer, url: str, workspace: Workspace
) -> None:
    token = issuer.token()
    issuer.server.shutdown()
    issuer.server.server_close()
    assert status(url, token) == 503
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    time.sleep(1.1)
    assert status(url, text) == 200


def test_issuers_that_cannot_be(issuer: OwnIssuer, monkeypatch: pytest.MonkeyPatch, binary: Runtime) -> None:
    with pytest.raises(InputError, match="https"):
        Issuer("http://issuer.example", "luban")
    with pytest.raises(InputError, match="audience"):
        Issuer("https://issuer.example", "")
    with pytest.raises(Unavailable, match="another one"):
        Issuer(issuer.url + "/", "luban")._ask()
    monkeypatch.setenv("LUBAN_OIDC_ISSUER", "ftp://x")
    with pytest.raises(InputError):
        serve([binary], port=0)


def test_roles_inside_an_object(issuer: OwnIssuer, workspace: Workspace, binary: Runtime) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUBAN_OIDC_ROLES", "realm_access.roles")
        with running([binary], tokens=workspace.tokens) as url:
            assert status(url, issuer.token(realm_access={"roles": ["scorer"]})) == 200
            assert status(url, issuer.token(realm_access="scorer")) == 403
            assert status(url, issuer.token()) == 403
