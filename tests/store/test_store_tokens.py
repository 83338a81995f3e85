"""Tokens and roles on both databases: the store cannot say a token again, and every change is in the chain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from luban.core.errors import Conflict, InputError, NotFound
from luban.core.secrets import hidden
from luban.store.clock import now
from luban.store.tokens import digest_of, token_id

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from luban.store import Workspace


def test_a_token_is_known_by_its_digest_alone(workspace: Workspace, tmp_path: Path) -> None:
    """The secret is in no file of the workspace; the digest finds the token and no other text does."""
    made, text = workspace.tokens.create("ci", scopes=["infer"])
    held = workspace.tokens.snapshot().held[token_id(text) or ""]
    assert held.token == made
    assert held.is_(digest_of(text))
    assert not held.is_(digest_of(text[:-1] + ("a" if text[-1] != "a" else "b")))
    secret = text[17:37]
    workspace._database.close()
    for path in (tmp_path / ".luban").rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert len(text) == 60
    assert text != workspace.tokens.create("other", scopes=["infer"])[1]


def test_state_follows_expiry_and_revocation(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made, text = workspace.tokens.create("ci", scopes=["infer"], expires=now() + timedelta(hours=1))
    assert workspace.tokens.list()[0].state == "good"

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            assert made.expires is not None
            return made.expires.astimezone(tz)

    monkeypatch.setattr("luban.core.access.datetime", Later)
    assert workspace.tokens.list()[0].state == "expired"
    assert workspace.tokens.snapshot().held == {}
    assert workspace.tokens.snapshot().made  # one was made: from now on one is needed
    _, again = workspace.tokens.create("ci", scopes=["infer"])  # an expired one does not take the name
    with pytest.raises(Conflict):
        workspace.tokens.create("ci", scopes=["infer"])
    assert workspace.tokens.revoke(again).state == "revoked"
    workspace.tokens.revoke(text)
    with pytest.raises(NotFound):
        workspace.tokens.revoke("ci")


def test_a_name_ends_all_tokens_of_that_name(workspace: Workspace) -> None:
    """Who revokes by name is not left with an older one that is still good."""
    workspace.tokens.create("ci", scopes=["infer"])
    workspace.tokens.revoke("ci")
    assert workspace.tokens.snapshot().held == {}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"scopes": ["infre"]}, NotFound),
        ({"scopes": []}, InputError),
        ({"roles": ["nobody"]}, NotFound),
        ({"scopes": ["read"], "rate": 0.0}, InputError),
        ({"scopes": ["read"], "only": ["../x"]}, InputError),
        ({"scopes": ["read"], "expires": now() - timedelta(days=1)}, InputError),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(
    workspace: Workspace, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        workspace.tokens.create("ci", **options)  # type: ignore[arg-type]
    assert workspace.tokens.list() == []
    assert workspace.audit.entries() == []


def test_roles_give_what_they_say_now(workspace: Workspace) -> None:
    """A token's roles follow the role; names restrict both, and together they only ever restrict further."""
    workspace.roles.set("editor", ["write"], only=["adult", "churn"])
    _, text = workspace.tokens.create("ci", roles=["editor"], only=["churn", "shop"])
    (grant,) = workspace.tokens.snapshot().held[token_id(text) or ""].grants
    assert (grant.scopes, grant.only) == ({"write", "read"}, {"churn"})
    workspace.roles.set("editor", ["infer"], only=["adult"])
    (grant,) = workspace.tokens.snapshot().held[token_id(text) or ""].grants
    assert (grant.scopes, grant.only) == ({"infer"}, frozenset())  # of nothing, which is not the same as of all
    workspace.roles.remove("editor")
    assert workspace.tokens.snapshot().held[token_id(text) or ""].grants == ()
    with pytest.raises(NotFound):
        workspace.roles.remove("editor")


def test_every_change_is_in_the_chain_with_who_did_it_and_without_the_token(workspace: Workspace) -> None:
    with workspace.acting("token/admin") as guest:
        guest.roles.set("viewer", ["read"])
        _, text = guest.tokens.create("ci", scopes=["infer"], roles=["viewer"])
        guest.tokens.revoke(text)
        guest.roles.remove("viewer")
        assert guest.runs.start("fit", {}).actor == "token/admin"
    assert workspace.runs.list()[0].actor == "token/admin"  # whose closing has left the database open
    entries = workspace.audit.entries()
    assert [(one.actor, one.action, one.subject) for one in entries] == [
        ("token/admin", "role.change", "role/viewer"),
        ("token/admin", "token.create", "token/ci"),
        ("token/admin", "token.revoke", "token/ci"),
        ("token/admin", "role.change", "role/viewer"),
    ]
    assert text[17:] not in str(entries)
    assert workspace.audit.verify() == 4


def test_texts_are_kept_without_tokens(workspace: Workspace) -> None:
    """A token that somebody put where none belongs is in no audit entry and in no error."""
    _, text = workspace.tokens.create("ci", scopes=["infer"])
    workspace.audit.append("note", "x", {"reason": f"because of {text}", "header": f"Bearer {'x' * 40}"})
    assert text[17:] not in str(workspace.audit.entries())
    assert workspace.audit.verify() == 2
    assert text[17:] not in str(InputError("wrong", seen=f"--token {text}"))
    assert text[17:] not in str(InputError("wrong", seen=text).to_dict())
    assert hidden(f"GET /{text}/x") == f"GET /{text[:16]}_.../x"
    assert "c2ln" not in hidden("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl")
    assert hidden("a bearer of good news, basic needs") == "a bearer of good news, basic needs"
