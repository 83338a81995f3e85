"""Alerts add: a rule on a monitored figure, and whom to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.alert import AlertRule
from luban.core.budget import Duration
from luban.core.errors import InputError, NotFound
from luban.core.operation import operation
from luban.operations.alerts.list_ import AlertShown, shown

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
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
        'columns.*.psi >= 0.2', 'quality.metrics.roc_auc < 0.8', 'requests.failed_share > 0.01',
        'log.dropped > 0', 'latency.p95 > 50' (milliseconds), 'verdict >= 1'.
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
    from luban.monitoring.alerts import channel
    from luban.monitoring.alerts.quiet import hours
    from luban.monitoring.alerts.rule import parsed

    figure, comparison, limit = parsed(rule)
    channel.check(to)
    _check(workspace, on, figure)
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


def _check(workspace: Workspace, on: str, figure: str) -> None:
    """Raise where nothing is monitored under this name, or no window of it can have such a figure."""
    from luban.core import plugins
    from luban.monitoring.alerts import possible

    model = _model(workspace, on)
    names = possible.possible(model.task, model.signature.inputs, plugins.names("detectors"))
    possible.check(figure, names)


def _model(workspace: Workspace, on: str) -> ModelVersion:
    """Return the version whose windows are meant: of a deployment the champion."""
    deployed = {one.name: one.champion for one in workspace.deployments.list()}
    if on in deployed:
        return workspace.models.get(deployed[on])
    models = [one.name for one in workspace.models.list()]
    if "/" in on and on.partition("/")[0] in models:
        return workspace.models.get(on)
    if on.partition("@")[0] in models:
        raise NotFound(
            f"no deployment is named {on!r}, but a model is",
            remedy=f"Deploy it first: luban deploy {on}. A rule on windows of files names a version: {on}/1.",
        )
    raise NotFound.named("deployment", on, deployed)
