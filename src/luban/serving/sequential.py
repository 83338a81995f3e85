"""A test that may be looked at after every request, of whether something happens more often to one arm than another.

Under the hypothesis that an event (a failure, a slow answer, a wrong prediction) is as likely in both arms, each event
falls to the canary with the probability that is its share of the requests, whatever the rate of the events. The
evidence against it is the ratio of likelihoods of the sequence of events, averaged over how many times as likely the
event may be in the canary. This average is a martingale with mean 1, so the chance that it ever passes 1/a, at
whatever moment one looks, is at most a (Ville's inequality).

Source: M. Lindon, A. Malek, "Anytime-Valid Inference for Multinomial Count Data" (NeurIPS 2022), of which this is
the case of two arms with a discrete prior over one-sided alternatives.
"""

from __future__ import annotations

import math

TIMES = (1.5, 2.0, 4.0, 8.0, 16.0, 64.0, math.inf)
"""How many times as likely the event may be in the canary, all equally probable beforehand.

The last is a new version that breaks where the champion never does: then every event falls to the canary, and one
event of the champion refutes it.
"""


def evidence(canary: int, champion: int, share: float) -> float:
    """Return the logarithm of the evidence that the event is more likely in the canary.

    Parameters
    ----------
    canary, champion : int
        How often it happened in each.
    share : float
        The canary's share of the requests of both, between 0 and 1.

    Examples
    --------
    >>> evidence(0, 0, 0.05)
    0.0
    >>> evidence(3, 0, 0.05) > math.log(1000)
    True
    >>> evidence(3, 1, 0.05) > math.log(1000)
    False
    >>> evidence(5, 95, 0.05) < 0
    True
    """
    logs = [_ratio(canary, champion, share, times) for times in TIMES]
    largest = max(logs)
    return largest + math.log(sum(math.exp(one - largest) for one in logs) / len(logs))


def _ratio(canary: int, champion: int, share: float, times: float) -> float:
    """Return the logarithm of the ratio of likelihoods, which is minus infinity where the alternative is refuted."""
    found = -canary * math.log(share + (1 - share) / times)
    if champion:
        found -= champion * math.log(share * times + 1 - share)
    return found
