"""The loop that keeps a model good: when it is updated, who may do so now, and what waits for a person's yes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Trigger = Literal["now", "drift", "labels", "schedule"]
Way = Literal["auto", "retrain", "continue"]
ApprovalState = Literal["open", "approved", "rejected", "expired", "superseded"]

WEEK = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class UpdatePolicy:
    """When a model is updated and how.

    Parameters
    ----------
    on : Trigger
        What an update waits for: nothing, drift that monitoring sees, so many new labels, or time.
    labels : int
        New labelled rows that ``labels`` waits for.
    every : float
        Seconds between two updates that ``schedule`` waits for.
    budget : float
        Seconds that one update may take.
    rounds : int, optional
        A budget in candidates that are tried, whatever the clock says, instead of the seconds.
    approve : bool
        Whether a person must say yes before a challenger takes over.
    expires : float
        Seconds for which a person may say so.
    way : Way
        Learn anew, go on learning, or whichever is better on the newest rows.
    window : str
        Rows to learn from: ``all``, ``auto``, a number of the newest, or a share of them such as ``50%``.
    fresh : float
        Share of the new rows, the newest, that are kept to judge and never learnt from.
    gates : mapping of str to float or str or None
        Limits of gates that are not their own; None leaves a gate out.
    """

    on: Trigger = "now"
    labels: int = 500
    every: float = 3600.0
    budget: float = 60.0
    rounds: int | None = None
    approve: bool = False
    expires: float = WEEK
    way: Way = "auto"
    window: str = "auto"
    fresh: float = 0.25
    gates: Mapping[str, float | str | None] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to do a piece of work alone, for a while.

    Parameters
    ----------
    token : int
        Grows each time the lease changes hands: what bears an older one is refused (a fencing token).
    """

    name: str
    token: int
    holder: str
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A challenger that is to take a champion's place.

    Parameters
    ----------
    champion, challenger : str
        References of versions of one model.
    deployment : str, optional
        The deployment that it was asked for; without one it is for the model and all deployments of its champion.
    """

    champion: str
    challenger: str
    deployment: str | None = None

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.champion.rpartition("/")[0]

    @property
    def subject(self) -> str:
        """What is updated: the deployment, or the model."""
        return self.deployment or self.model


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """What moved, all of it at once.

    Parameters
    ----------
    alias : bool
        Whether the alias ``champion`` moved.
    deployments : tuple of str
        Those that answer with the challenger now.
    left_alone : tuple of str
        Deployments of the old champion that stay as they are, since a canary is under way there.
    """

    challenger: str
    alias: bool
    deployments: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A question to a person, and the answer.

    Parameters
    ----------
    action : str
        What is asked for, such as ``"promote"``.
    subject, reference : str
        What it is about: the deployment or model, and the version.
    detail : mapping
        JSON values: all that the answer needs.
    """

    id: str
    action: str
    subject: str
    reference: str
    state: ApprovalState
    asked: datetime
    asker: str
    expires: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)
    decided: datetime | None = None
    decider: str | None = None
    reason: str | None = None
