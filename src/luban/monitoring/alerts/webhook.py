"""Webhooks: a notice as signed JSON, to an address that was checked."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from luban.core.errors import InputError, Refused, Unavailable
from luban.core.serial import to_json
from luban.monitoring.alerts import address
from luban.version import __version__

if TYPE_CHECKING:
    from luban.monitoring.alerts.notice import Notice

SIGNATURE = "Luban-Signature"
TOLERANCE = 300
"""Seconds within which a receiver should accept a signature."""

_TIMEOUT = 10.0


def signature(secret: str, body: bytes, moment: int) -> str:
    """Return the header's value: ``t=MOMENT,v1=HMAC-SHA256(secret, MOMENT.BODY)`` in hexadecimal digits."""
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


def verify(secret: str, body: bytes, header: str, *, moment: float | None = None, tolerance: float = TOLERANCE) -> bool:
    """Return whether a body was signed with the secret, not long ago; for receivers.

    Parameters
    ----------
    header : str
        The value of `SIGNATURE`.
    moment : float, optional
        Seconds since 1970; by default now.
    """
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    if not parts.get("t", "").isdecimal():
        return False
    told = int(parts["t"])
    if abs((time.time() if moment is None else moment) - told) > tolerance:
        return False
    return hmac.compare_digest(signature(secret, body, told).encode(), header.encode())


def check(url: str) -> None:
    """Raise `InputError` where a URL cannot be that of a webhook."""
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise InputError("the webhook's port cannot be read", seen=shown(url)) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise InputError(
            "a webhook is an https:// address without a user and password",
            seen=shown(url),
            remedy="Use https://HOST/PATH.",
        )
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise InputError("a webhook's address has no blanks or control characters", seen=shown(url))


def shown(url: str) -> str:
    """Return a webhook's address as it may be shown: what comes after the host is often a secret."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{'/…' if parts.path.strip('/') or parts.query else ''}"


def send(url: str, secret: str | None, notice: Notice) -> None:
    """Post a notice, signed, and return when the receiver has taken it. Redirects are not followed.

    Parameters
    ----------
    secret : str, optional
        Name of the environment variable with the key; without one the body is not signed.

    Raises
    ------
    Refused
        If the address is not public and not allowed, or it is public and not encrypted.
    Unavailable
        If the receiver does not answer, or answers something else than 2xx.
    """
    check(url)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    target = address.resolved(host, port)
    if parts.scheme == "http" and address.is_public(target):
        raise Refused("a webhook to the open internet must be encrypted", seen=shown(url), remedy="Use https://.")
    body = json.dumps(to_json(notice) | {"line": notice.line}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"luban/{__version__}"}
    if secret is not None:
        headers[SIGNATURE] = signature(_key(secret), body, int(time.time()))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _connection(parts.scheme, host, port, target)
    try:
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read(1024)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise Unavailable("the webhook does not answer", seen=f"{shown(url)}: {type(error).__name__}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        what = (
            "sends somewhere else, which is not followed" if 300 <= answer.status < 400 else "does not take the notice"
        )
        raise Unavailable(f"the webhook {what}", seen=f"{shown(url)}: {answer.status}")


def _key(name: str) -> str:
    key = os.environ.get(name)
    if not key:
        raise InputError(
            "the key that signs the webhook is not in the environment", seen=name, remedy=f"Set {name} where this runs."
        )
    return key


def _connection(scheme: str, host: str, port: int, target: str) -> http.client.HTTPConnection:
    """Return a connection to the checked address that says the name: in ``Host``, and to TLS."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)

    def connect() -> None:
        plain = socket.create_connection((target, port), timeout=_TIMEOUT)
        if scheme == "http":
            connection.sock = plain
            return
        try:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    connection.connect = connect  # type: ignore[method-assign]
    return connection
