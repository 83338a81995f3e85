"""Hold the rules of a deployment against a window's figures, and tell whoever wants to know."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from luban.core.alert import AlertState
from luban.core.errors import LubanError
from luban.monitoring.alerts import channel
from luban.monitoring.alerts.notice import Notice
from luban.monitoring.alerts.quiet import is_quiet
from luban.monitoring.alerts.rule import crossed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.alert import AlertRule
    from luban.store.alerts import Alerts

Event = Literal["alarm", "reminder", "recovery"]


def look(alerts: Alerts, deployment: str, figures: Mapping[str, float], moment: datetime) -> tuple[str, ...]:
    """Return what was told, or could not be, in a line each.

    An alarm is told once, again after the rule's `repeat`, and when it is over. In quiet hours nothing is told: what
    still holds after them is told then. What could not be told is tried again at the next look.

    Parameters
    ----------
    figures : mapping of str to float
        As `luban.monitoring.alerts.figures.figures` gives them; a rule about a figure that is not there rests.
    """
    lines = []
    for rule, state in alerts.list(deployment):
        found = crossed(rule, figures)
        if found is None:
            continue
        name, value, on = found
        event, after = step(rule, state, value, on=on, moment=moment)
        if not alerts.move(rule.name, state, after) or event is None:
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
        try:
            channel.send(rule, notice)
            lines.append(notice.line)
        except LubanError as error:
            lines.append(f"Could not tell {channel.shown(rule.to)} of {rule.name}: {error}")
            # As it was before, so that the next look tells it: a recovery too.
            untold = replace(after, since=state.since or after.since, told=state.told)
            alerts.move(rule.name, after, untold)
    return tuple(lines)


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
