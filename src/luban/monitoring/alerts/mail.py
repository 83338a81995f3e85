"""Notices by e-mail."""

from __future__ import annotations

import os
import smtplib
import ssl
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from luban.core.errors import InputError, Unavailable

if TYPE_CHECKING:
    from luban.monitoring.alerts.notice import Notice

SERVER = "LUBAN_SMTP"
"""Environment variable with the mail server: ``smtp://user:password@host:587`` or ``smtps://...``."""

SENDER = "LUBAN_SMTP_FROM"

_TIMEOUT = 10.0


def check(recipient: str) -> None:
    """Raise `InputError` where this is no address of a mailbox."""
    name, at, domain = recipient.rpartition("@")
    if not at or not name or not domain or any(one in recipient for one in "\r\n<>,; \t"):
        raise InputError("this is no mail address", seen=repr(recipient)[:80], remedy="Write mailto:name@example.org.")


def send(recipient: str, notice: Notice) -> None:
    """Send a notice and return when the mail server has taken it.

    A password is sent only over TLS.

    Raises
    ------
    InputError
        If no mail server is set, or it cannot be read.
    Unavailable
        If it does not take the mail.
    """
    check(recipient)
    parts = urlsplit(os.environ.get(SERVER, ""))
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise InputError("no mail server is set", remedy=f"Set {SERVER}=smtp://user:password@host:587 where this runs.")
    message = EmailMessage()
    message["Subject"] = f"[luban] {notice.line}".replace("\r", " ").replace("\n", " ")
    message["From"] = os.environ.get(SENDER) or f"luban@{parts.hostname}"
    message["To"] = recipient
    message["Message-ID"] = f"<{notice.id}@luban.invalid>"  # sent twice it is one mail
    since = f"\nSince: {notice.since.isoformat()}" if notice.since else ""
    message.set_content(f"{notice.line}\n\nSeen: {notice.moment.isoformat()}{since}\n")
    context = ssl.create_default_context()
    try:
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                parts.hostname, parts.port or 465, timeout=_TIMEOUT, context=context
            )
        else:
            server = smtplib.SMTP(parts.hostname, parts.port or 587, timeout=_TIMEOUT)
        with server:
            if parts.scheme == "smtp":
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=context)
                elif parts.username:
                    raise Unavailable("the mail server offers no TLS, without which no password is sent")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        # The server's own words may hold what was sent to it: only the kind of failure is told.
        raise Unavailable(
            "the mail server does not take the notice", seen=f"{parts.hostname}: {type(error).__name__}"
        ) from None
