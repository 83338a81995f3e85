"""Ways to tell somebody, by what a rule's `to` says."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.monitoring.alerts import mail, webhook

if TYPE_CHECKING:
    from luban.core.alert import AlertRule
    from luban.monitoring.alerts.notice import Notice

_log = logging.getLogger("luban.alerts")


def check(to: str) -> None:
    """Raise `InputError` where `to` names no way to tell somebody."""
    if to == "log" or (to.startswith("env:") and to.removeprefix("env:").isidentifier()):
        return
    if to.startswith("mailto:"):
        mail.check(to.removeprefix("mailto:"))
    elif to.startswith(("http://", "https://")):
        webhook.check(to)
    else:
        raise InputError(
            "this names no way to tell somebody",
            seen=to.partition(":")[0][:40],
            remedy="Give log, mailto:name@example.org, https://host/path, or env:NAME of a variable that holds one.",
        )


def shown(to: str) -> str:
    """Return `to` as it may be shown."""
    return webhook.shown(to) if to.startswith(("http://", "https://")) else to


def send(rule: AlertRule, notice: Notice) -> None:
    """Tell what a rule has to tell, or raise `LubanError`."""
    to = rule.to
    if to.startswith("env:"):
        to = os.environ.get(to.removeprefix("env:"), "")
        check(to)
        if to.startswith("env:"):
            raise InputError("a variable that names a way must not name another variable", seen=rule.to)
    if to.startswith("mailto:"):
        mail.send(to.removeprefix("mailto:"), notice)
    elif to.startswith(("http://", "https://")):
        webhook.send(to, rule.secret, notice)
    else:
        _log.warning("%s", notice.line)
