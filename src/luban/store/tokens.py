"""Tokens: who may ask a server for what, kept so that the store itself cannot say them again.

A token is ``luban_<id>_<secret>`` with 256 random bits of secret. It is shown once; of it the SHA-256 digest is kept,
which is enough because nobody can try 2^256 secrets (a slow hash protects what people can think of).
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, insert, select, update

from luban.core.access import Token
from luban.core.errors import Conflict, InputError, NotFound
from luban.store import audit
from luban.store.clock import now
from luban.store.names import valid_name
from luban.store.roles import Grant, grants_of, known_roles, valid_names
from luban.store.scopes import valid_scopes
from luban.store.tables import audit_head, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from luban.store.database import Database

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_FORM = re.compile(r"luban_([0-9a-z]{10})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, kw_only=True)
class Held:
    """A token that is good, with what it is good for now."""

    token: Token
    digest: bytes
    grants: tuple[Grant, ...]

    @cached_property
    def until(self) -> float:
        """Seconds since 1970 from which it is good no more."""
        return math.inf if self.token.expires is None else self.token.expires.timestamp()

    def is_(self, digest: bytes) -> bool:
        """Return whether this is the digest of the token, in the same time whatever it is."""
        return hmac.compare_digest(self.digest, digest)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All tokens that are good at one moment.

    Parameters
    ----------
    held : mapping of str to Held
        By the id of the token.
    roles : mapping of str to Grant
    made : bool
        Whether a token was ever made: from then on one is needed.
    """

    held: Mapping[str, Held]
    roles: Mapping[str, Grant]
    made: bool


class Tokens:
    """The tokens of a workspace."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def create(
        self,
        name: str,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        only: Iterable[str] = (),
        expires: datetime | None = None,
        rate: float | None = None,
    ) -> tuple[Token, str]:
        """Make a token and return it with the one text that is good for it, which is not kept.

        Raises
        ------
        Conflict
            If there is a good token of that name.
        NotFound
            If a scope or a role is unknown.
        """
        name, roles = valid_name("token", name), sorted(set(roles))
        granted = valid_scopes(scopes) if scopes or not roles else []
        if expires is not None and expires <= now():
            raise InputError("a token cannot end before it begins", seen=expires.isoformat())
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise InputError("the rate of a token must be positive", seen=str(rate))
        identifier = "".join(secrets.choice(_ALPHABET) for _ in range(10))
        text = f"luban_{identifier}_{secrets.token_urlsafe(32)}"
        values: dict[str, Any] = {
            "id": identifier,
            "name": name,
            "scopes": granted,
            "roles": list(roles),
            "only": valid_names(only),
            "rate": rate,
            "expires": expires,
            "created": now(),
            "actor": self._actor,
            "revoked": None,
        }
        with self._database.writing(lock="tokens") as connection:
            there = known_roles(connection)
            for role in roles:
                if role not in there:
                    raise NotFound.named("role", role, there)
            if any(_token(row).state == "good" for row in _rows(connection, tokens.c.name == name)):
                raise Conflict(
                    f"there is a good token named {name!r} already", remedy=f"First run: luban tokens revoke {name}"
                )
            connection.execute(insert(tokens).values(**values, digest=digest_of(text).hex()))
            detail = {key: values[key] for key in ("id", "scopes", "roles", "only", "rate")}
            detail["expires"] = None if expires is None else expires.isoformat()
            audit.append(connection, self._actor, "token.create", f"token/{name}", detail)
        return _token(values), text

    def revoke(self, reference: str) -> Token:
        """End a token at once, and return it.

        Parameters
        ----------
        reference : str
            Its name, its id, or the token itself.
        """
        form = _FORM.fullmatch(reference)
        wanted = form[1] if form else reference
        with self._database.writing(lock="tokens") as connection:
            rows = [_token(row) for row in _rows(connection)]
            live = [one for one in rows if one.revoked is None]
            found = [one for one in live if one.id == wanted] or [one for one in live if one.name == wanted]
            if not found:
                raise NotFound.named("token", wanted[:100], [one.name for one in live])
            moment = now()
            for one in found:  # one that has expired may share the name of a good one
                connection.execute(update(tokens).where(tokens.c.id == one.id).values(revoked=moment))
                audit.append(connection, self._actor, "token.revoke", f"token/{one.name}", {"id": one.id})
            row = connection.execute(select(tokens).where(tokens.c.id == found[-1].id)).one()
        return _token(row)

    def list(self) -> list[Token]:
        """Return all tokens there have been, oldest first."""
        with self._database.reading() as connection:
            return [_token(row) for row in _rows(connection)]

    def mark(self) -> str:
        """Return what is another text as soon as anything was changed in the workspace; costs one row."""
        with self._database.reading() as connection:
            found: str = connection.scalars(select(audit_head.c.hash)).one()
        return found

    def snapshot(self) -> Snapshot:
        """Return all tokens that are good now, with what they are good for."""
        with self._database.reading() as connection:
            roles = known_roles(connection)
            made = bool(connection.scalar(select(func.count()).select_from(tokens)))
            rows = _rows(connection, tokens.c.revoked.is_(None))
        held = {}
        for row in rows:
            token = _token(row)
            if token.state == "good":
                grants = grants_of(token.scopes, token.only, [roles[one] for one in token.roles if one in roles])
                held[token.id] = Held(token=token, digest=bytes.fromhex(row.digest), grants=grants)
        return Snapshot(held=held, roles=roles, made=made)


def token_id(text: str) -> str | None:
    """Return the part of a token that names it, or None where the text is none of Luban's tokens."""
    return text[6:16] if len(text) == 60 and text.startswith("luban_") else None


def digest_of(text: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _rows(connection: Connection, *conditions: Any) -> list[Row[Any]]:
    return list(connection.execute(select(tokens).where(*conditions).order_by(tokens.c.created)).all())


def _token(row: Any) -> Token:
    values: dict[str, Any] = dict(row if isinstance(row, dict) else row._mapping)
    values.pop("digest", None)
    for name in ("scopes", "roles", "only"):
        values[name] = tuple(values[name])
    return Token(**values)
