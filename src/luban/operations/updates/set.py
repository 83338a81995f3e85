"""Updates set: a deployment or a model is updated by itself from now on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from luban.core.budget import Duration
from luban.core.operation import operation
from luban.core.update import UpdatePolicy
from luban.operations.update import HOUR, MINUTE, WEEK

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class UpdatesSet:
    """What is updated by itself, and how."""

    name: str
    policy: UpdatePolicy


@operation(permission="models:write", name="updates set", about=("name",), existing=True)
def updates_set(
    workspace: Workspace,
    name: str,
    *,
    on: Literal["drift", "labels", "schedule"] = "drift",
    labels: int = 500,
    every: Duration = HOUR,
    budget: Duration = MINUTE,
    rounds: int | None = None,
    approve: bool = False,
    expires: Duration = WEEK,
    way: Literal["auto", "retrain", "continue"] = "auto",
    window: str = "auto",
    fresh: str = "25%",
    gate: tuple[str, ...] = (),
    gates: Path | None = None,
    seed: int = 0,
) -> UpdatesSet:
    """Let a running `luban serve` or `luban server` update a deployment or a model by itself.

    Parameters
    ----------
    name
        The deployment or the model.
    on
        What an update waits for: `drift` that monitoring sees, `labels` so many new labels, `schedule` the time.
    labels
        New labelled rows that `--on labels` waits for.
    every
        Time between two updates that `--on schedule` waits for.
    budget
        A deadline for one update.
    rounds
        A budget in candidates that are tried instead of time.
    approve
        Ask a person before a challenger takes over.
    expires
        Time in which a person may say yes.
    way
        `retrain`, `continue` or `auto`, as in `luban update`.
    window
        Rows to learn anew from: `all`, a number, a share or `auto`.
    fresh
        Share of the new rows that judge.
    gate
        A gate's limit, `quality=0.95`, or `size=off`.
    gates
        A file of such limits, in YAML.
    seed
        Seed of all randomness.
    """
    from luban.operations.updating.policy import policy_of
    from luban.operations.updating.subject import check_logged, subject

    policy = policy_of(
        on=on,
        labels=labels,
        every=float(every),
        budget=float(budget),
        rounds=rounds,
        approve=approve,
        expires=float(expires),
        way=way,
        window=window,
        fresh=fresh,
        gate=gate,
        gates=gates,
        seed=seed,
    )
    found = subject(workspace, name)
    check_logged(found.champion, media=found.media)
    workspace.policies.set(name, policy)
    return UpdatesSet(name=name, policy=policy)
