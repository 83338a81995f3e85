"""Hold the rules of a deployment against a window's figures, and tell whoever wants to know."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from luban.core.alert import AlertState
from luban.core.errors import LubanError
from luban.core.serial import from_json, to_json
from luban.monitoring.alerts import channel
from luban.monitoring.alerts.notice import Notice
from luban.monitoring.alerts.quiet import is_quiet
from luban.monitoring.alerts.rule import crossed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.alert import AlertRule
    from luban.store.alerts import Alerts

Event = Literal["alarm", "reminder", "recovery"]


PATIENCE = timedelta(minutes=2)
"""For how long somebody who set out to tell a notice is left to do so; after that they were killed."""


def look(alerts: Alerts, deployment: str, figures: Mapping[str, float], moment: datetime) -> tuple[str, ...]:
    """Return what was told, or could not be, in a line each.

    An alarm is told once, again after the rule's `repeat`, and when it is over. In quiet hours nothing is told: what
    still holds after them is told then. What is to be told is kept before it is sent, and forgotten after: where that
    fails, or somebody is killed in between, a later look sends it once more as it was, under the same id, before
    anything that has come since.

    Parameters
    ----------
    figures : mapping of str to float
        As `luban.monitoring.alerts.figures.figures` gives them; a rule about a figure that is not there rests.
    """
    lines: list[str] = []
    for rule, known in alerts.list(deployment):
        state = known if known.notice is None else _again(alerts, rule, known, moment, lines)
        found = None if state is None else crossed(rule, figures)
        if state is None or found is None:
            continue
        name, value, on = found
        event, after = step(rule, state, value, on=on, moment=moment)
        if event is None:
            alerts.move(rule.name, state, after)
            continue
        notice = Notice(
            event=event,
            alert=rule.name,
            deployment=deployment,
            figure=name,
            value=value,
            comparison=rule.comparison,
            limit=rule.limit,
            moment=moment,
            since=state.since or after.since,
        )
        meant = replace(after, notice=to_json(notice), claimed=moment)
        if alerts.move(rule.name, state, meant):
            # A receiver may take it and not say so in time: the next look sends it again under the id that it knows.
            untold = replace(meant, claimed=None, told=state.told)
            alerts.move(rule.name, meant, after if _told(rule, notice, lines) else untold)
    return tuple(lines)


def _again(alerts: Alerts, rule: AlertRule, state: AlertState, moment: datetime, lines: list[str]) -> AlertState | None:
    """Tell what perhaps was not told; return how the rule stands then, None where it has to wait."""
    busy = state.claimed is not None and timedelta(0) <= moment - state.claimed < PATIENCE
    if busy or is_quiet(rule.quiet, moment):
        return None
    mine = replace(state, claimed=moment)
    if not alerts.move(rule.name, state, mine):
        return None
    notice = from_json(Notice, state.notice)
    if not _told(rule, notice, lines):
        alerts.move(rule.name, mine, replace(mine, claimed=None))
        return None
    after = replace(mine, claimed=None, notice=None, told=None if notice.event == "recovery" else moment)
    return after if alerts.move(rule.name, mine, after) else None


def _told(rule: AlertRule, notice: Notice, lines: list[str]) -> bool:
    try:
        channel.send(rule, notice)
    except LubanError as error:
        lines.append(f"Could not tell {channel.shown(rule.to)} of {rule.name}: {error}")
        return False
    lines.append(notice.line)
    return True


def step(
    rule: AlertRule, state: AlertState, value: float, *, on: bool, moment: datetime
) -> tuple[Event | None, AlertState]:
    """Return what is to be told, if anything, and how the rule stands after that."""
    hushed = is_quiet(rule.quiet, moment)
    if not on:
        if state.told is None:  # nobody heard of it: nobody needs to hear that it is over
            return None, AlertState(value=value)
        if hushed:
            return None, replace(state, value=value)
        return "recovery", AlertState(value=value)
    since = state.since or moment
    if hushed:
        return None, AlertState(since=since, told=state.told, value=value)
    if state.told is None:
        return "alarm", AlertState(since=since, told=moment, value=value)
    if rule.repeat is not None and moment - state.told >= timedelta(seconds=rule.repeat):
        return "reminder", AlertState(since=since, told=moment, value=value)
    return None, AlertState(since=since, told=state.told, value=value)
