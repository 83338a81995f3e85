"""People and programs that an OpenID Connect issuer vouches for: its JSON Web Tokens, and the roles they name.

The issuer says who somebody is; what that person may do is a role of the workspace with a name that the token has in
its claim of roles. Sources: OpenID Connect Discovery 1.0; RFC 7519 (JWT); RFC 8725 (best current practice: only
algorithms with public keys are taken, and issuer, audience and expiry must be there).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from luban.core.errors import InputError, MissingExtra, Unavailable
from luban.serving.access.principal import Principal
from luban.serving.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.store.roles import Grant

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEEWAY = 60
"""Seconds by which clocks may differ."""

KEYS_LAST = 3600.0
"""Seconds after which the issuer's keys are asked for again; a key that is not known is asked for sooner."""

_AGAIN = 30.0  # seconds between two questions about keys
_TIMEOUT = 5.0
_LARGEST = 1 << 20
_REMEMBERED = 10_000


class Issuer:
    """An OpenID Connect issuer.

    Parameters
    ----------
    url : str
        Its address, exactly as its tokens have it in ``iss``; https, or on loopback.
    audience : str
        What its tokens for this server have in ``aud``.
    claim : str
        Where a token has its roles; a dot leads into an object (``realm_access.roles``).
    """

    def __init__(self, url: str, audience: str, claim: str = "roles") -> None:
        _check_address(url)
        if not audience:
            raise InputError("an issuer needs an audience", remedy="Set LUBAN_OIDC_AUDIENCE to what is in its tokens.")
        _library()
        self.url = url
        self._audience = audience
        self._claim = claim
        self._lock = threading.Lock()
        self._keys: Any = None
        self._asked = 0.0
        self._known: dict[bytes, tuple[float, str, tuple[str, ...]]] = {}

    async def find(self, text: str, roles: Mapping[str, Grant]) -> Principal | None:
        """Return whom a JSON Web Token is about, with the roles it names; None where it is not good.

        Raises
        ------
        Unavailable
            If the issuer does not answer and its keys are not known.
        """
        if text.count(".") != 2:
            return None
        key = hashlib.sha256(text.encode()).digest()
        found = self._known.get(key)
        if found is None:
            found = await asyncio.to_thread(self._verified, text)
            if found is None:
                return None
            if len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = found
        expires, subject, named = found
        if time.time() >= expires + LEEWAY:
            self._known.pop(key, None)
            return None
        return Principal(actor=f"oidc/{subject}", grants=tuple(roles[one] for one in named if one in roles))

    def _verified(self, text: str) -> tuple[float, str, tuple[str, ...]] | None:
        from authlib.oauth2.claims import JWTClaims
        from joserfc import jwt
        from joserfc.errors import JoseError

        options: Any = {
            "iss": {"essential": True, "value": self.url},
            "aud": {"essential": True, "value": self._audience},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        for again in (False, True):
            keys = self._key_set(again=again)
            try:
                token = jwt.decode(text, keys, algorithms=list(ALGORITHMS))
            except (JoseError, ValueError, TypeError):  # a signature, or a key that the issuer has changed since
                continue
            try:
                claims = JWTClaims(token.claims, token.header, options)
                claims.validate(leeway=LEEWAY)
            except (JoseError, ValueError, TypeError):
                return None
            return float(claims["exp"]), str(claims["sub"])[:200], _names(claims, self._claim)
        return None

    def _key_set(self, *, again: bool) -> Any:
        with self._lock:
            age = time.monotonic() - self._asked
            if self._keys is None or age > KEYS_LAST or (again and age > _AGAIN):
                try:
                    self._keys = self._ask()
                except Unavailable:
                    if self._keys is None:
                        raise
                self._asked = time.monotonic()
            return self._keys

    def _ask(self) -> Any:
        from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        found = OpenIDProviderMetadata(_fetch(get_well_known_url(self.url, external=True)))
        where = found.get("jwks_uri")
        if found.get("issuer") != self.url or not isinstance(where, str):
            raise Unavailable(
                "the issuer describes itself as another one, or has no keys",
                seen=f"{found.get('issuer')}, not {self.url}",
            )
        _check_address(where)
        try:
            return KeySet.import_key_set(_fetch(where))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Unavailable("the issuer's keys cannot be read", seen=f"{where}: {type(error).__name__}") from error


def issuer_from_environment() -> Issuer | None:
    """Return the issuer that ``LUBAN_OIDC_ISSUER``, ``_AUDIENCE`` and ``_ROLES`` name, or None."""
    url = os.environ.get("LUBAN_OIDC_ISSUER")
    if not url:
        return None
    return Issuer(url, os.environ.get("LUBAN_OIDC_AUDIENCE", ""), os.environ.get("LUBAN_OIDC_ROLES") or "roles")


def _names(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    found: Any = claims
    for part in (path,) if path in claims else path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    names = found.split() if isinstance(found, str) else found
    return tuple(one for one in names if isinstance(one, str)) if isinstance(names, list) else ()


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise InputError("the address of an issuer must begin with https://", seen=url[:200])


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirects: keys come from where they were asked for."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


def _fetch(url: str) -> Any:
    try:
        with urllib.request.build_opener(_Straight).open(url, timeout=_TIMEOUT) as answer:
            content = answer.read(_LARGEST + 1)
        found = json.loads(content) if len(content) <= _LARGEST else None
    except (OSError, ValueError) as error:
        raise Unavailable("the issuer of tokens does not answer", seen=f"{url}: {error}") from error
    if not isinstance(found, dict):
        raise Unavailable("the issuer of tokens answers something else", seen=url)
    return found


def _library() -> None:
    if find_spec("authlib") is None or find_spec("joserfc") is None:
        raise MissingExtra(
            "OpenID Connect needs a package that is not installed",
            seen="authlib",
            remedy="Run: pip install 'luban[oidc]'",
        )
