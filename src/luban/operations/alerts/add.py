"""Alerts add: a rule on a monitored figure, and whom to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.alert import AlertRule
from luban.core.budget import Duration
from luban.core.errors import InputError
from luban.core.operation import operation
from luban.operations.alerts.list_ import AlertShown, shown

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="alerts:write", name="alerts add")
def alerts_add(
    workspace: Workspace,
    name: str,
    on: str,
    rule: str,
    *,
    to: str = "log",
    secret: str | None = None,
    quiet: str | None = None,
    repeat: Duration | None = None,
) -> AlertShown:
    """Tell somebody when a monitored figure crosses a limit, and when it is over.

    A server looks at what it answers for (once a minute, where something is new), and so does `luban monitor`. An
    alarm is told once. An address whose path is a secret is best given as `env:NAME`.

    Parameters
    ----------
    name
        A name for the alert.
    on
        The deployment, or the model version whose files are monitored.
    rule
        A figure of `luban monitor --json`, one of `> >= < <=`, and a limit: 'drift.share > 0.3',
        'columns.*.psi >= 0.2', 'quality.metrics.roc_auc < 0.8', 'verdict >= 1'.
    to
        Who is told: `log`, `mailto:name@example.org`, `https://host/path`, or `env:NAME` of an environment variable
        that holds one of these.
    secret
        Name of the environment variable with the key that signs webhooks (HMAC-SHA256).
    quiet
        Hours in which nobody is told: '22:00-07:00', or '22:00-07:00 Europe/Berlin'.
    repeat
        Tell again after such a time, while the alarm goes on.
    """
    from luban.monitoring.alerts import channel, figures
    from luban.monitoring.alerts.quiet import hours
    from luban.monitoring.alerts.rule import parsed

    figure, comparison, limit = parsed(rule)
    figures.check(figure)
    channel.check(to)
    if quiet is not None:
        hours(quiet)
    if secret is not None and not secret.isidentifier():
        # What was given may be the key itself, so it is not shown.
        raise InputError("the secret is named by an environment variable", remedy="Give its name, not the key.")
    made = AlertRule(
        name=name,
        deployment=on,
        figure=figure,
        comparison=comparison,
        limit=limit,
        to=to,
        secret=secret,
        quiet=quiet,
        repeat=None if repeat is None else float(repeat),
    )
    return shown(workspace.alerts.add(made))
