"""Automatic rollback: a canary that fails, is slow or predicts worse than the champion loses its share.

Three kinds of events are counted in both arms, and each is tested by `luban.serving.sequential` after every look:

- failures: the model raised, hung or returned what is no answer;
- slow answers: computed in more than twice the champion's median, and at least `NOTICEABLE` later (waiting for one's
  turn does not count: a slow canary makes the champion's requests wait too);
- wrong predictions, as labels arrive: another class than the label or, for numbers, an error above the champion's
  median error. They count only where the model's own metric cannot be had from the labelled rows of both arms;
  where it can, that decides (`luban.serving.measured`).

A canary goes when the evidence passes 1/`CHANCE`, it has answered `FEWEST` requests, and the difference of the rates
is one that matters. A canary as good as the champion is rolled back with at most that chance by each test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from luban.serving import measured as own
from luban.serving.sequential import evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.model import Deployment
    from luban.serving.measured import Measured

CHANCE = 0.001
FEWEST = 30
NOTICEABLE = 0.005
"""Seconds."""

DIFFERENCES = {"failed": 0.01, "slow": 0.2, "wrong": 0.02}
"""How much more often an event must happen in the canary, as a share of its requests, to be worth a rollback."""

_WORDS = {
    "failed": "requests failed",
    "slow": "requests were slower than twice the champion's median",
    "wrong": "labelled predictions were wrong",
}


@dataclass(kw_only=True)
class Tally:
    """How often something happened among so many requests of one version."""

    requests: int = 0
    events: int = 0

    @property
    def rate(self) -> float:
        """The share of requests in which it happened."""
        return self.events / self.requests if self.requests else 0.0


Counts = dict[str, dict[str, Tally]]
"""By kind of event, and by version."""


def judge(kind: str, canary: Tally, champion: Tally, share: float) -> bool:
    """Return whether the canary is worse.

    Parameters
    ----------
    kind : {"failed", "slow", "wrong"}
    share : float
        The canary's share of the traffic of both.
    """
    if canary.requests < FEWEST or canary.rate - champion.rate < DIFFERENCES[kind]:
        return False
    if champion.requests:  # requests of many rows reach both arms, whatever their shares
        share = max(share, canary.requests / (canary.requests + champion.requests))
    if share >= 1:
        return False
    return evidence(canary.events, champion.events, share) > math.log(1 / CHANCE)


def reason(kind: str, canary: str, champion: str, theirs: Tally, its: Tally) -> str:
    """Return why a canary is rolled back, in words with both counts."""
    return (
        f"{theirs.events:,} of {theirs.requests:,} {_WORDS[kind]} with {canary} ({theirs.rate:.1%}), "
        f"{its.events:,} of {its.requests:,} with {champion} ({its.rate:.1%})"
    )


@dataclass(kw_only=True)
class Trial:
    """What has been seen of the canaries of one deployment, as long as its traffic stays as it is."""

    deployment: Deployment
    counts: Counts = field(default_factory=dict)
    scores: dict[str, Measured] = field(default_factory=dict)
    _tests: dict[str, tuple[int, int]] = field(default_factory=dict)  # of each canary: how many, and rows at the last
    _found: dict[str, str] = field(default_factory=dict)  # why, of each canary whose score is worse

    def add(self, counts: Mapping[str, Mapping[str, Tally]]) -> None:
        """Add what was counted since the last look."""
        for kind, tallies in counts.items():
            for reference, more in tallies.items():
                tally = self.counts.setdefault(kind, {}).setdefault(reference, Tally())
                tally.requests += more.requests
                tally.events += more.events

    def labelled(self, wrong: Mapping[str, Tally]) -> None:
        """Take the counts of labelled predictions by version, in place of earlier ones; a reading that is late is left.

        Of two readings of the log the later one has more labels.
        """
        known = self.counts.get("wrong", {})
        if sum(one.requests for one in wrong.values()) >= sum(one.requests for one in known.values()):
            self.counts["wrong"] = dict(wrong)

    def measure(self, scores: Mapping[str, Measured]) -> None:
        """Take the scores of labelled predictions by version, and test the canaries whose rows have grown enough."""
        self.scores.update(scores)
        its = self.scores.get(self.deployment.champion)
        for canary in self.deployment.canaries:
            theirs = self.scores.get(canary)
            tests, before = self._tests.get(canary, (0, 0))
            if its is None or theirs is None or not own.due(rows := min(theirs.rows, its.rows), before):
                continue
            self._tests[canary] = tests + 1, rows
            if canary not in self._found and own.worse(theirs, its, tests + 1):
                self._found[canary] = own.reason(canary, self.deployment.champion, theirs, its)

    def worse(self) -> tuple[str, str] | None:
        """Return (reference, reason) of a canary that is worse than the champion, or None."""
        champion, traffic = self.deployment.champion, self.deployment.traffic
        for canary in self.deployment.canaries:
            if not traffic[canary]:
                continue
            if canary in self._found:
                return canary, self._found[canary]
            share = traffic[canary] / (traffic[canary] + traffic[champion])
            measured = canary in self.scores and champion in self.scores
            for kind in DIFFERENCES:
                if kind == "wrong" and measured:
                    continue
                tallies = self.counts.get(kind, {})
                theirs, its = tallies.get(canary, Tally()), tallies.get(champion, Tally())
                if judge(kind, theirs, its, share):
                    return canary, reason(kind, canary, champion, theirs, its)
        return None


def without(deployment: Deployment, canary: str) -> dict[str, float]:
    """Return the traffic after a canary has gone: its share is the champion's."""
    traffic = {reference: share for reference, share in deployment.traffic.items() if reference != canary}
    return traffic | {deployment.champion: 1.0 - sum(traffic[one] for one in traffic if one != deployment.champion)}
