"""What a study tries: a learner with parameters."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from luban.core.serial import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A learner with parameters.

    Parameters
    ----------
    learner : str
    parameters : mapping
        JSON values.
    origin : str
        ``"portfolio"`` for what is published or found to be good, ``"search"`` for what a searcher asked for.
    once : bool
        It is fitted on the first fold alone, and that model stays.
    share : float, optional
        Share of the time left that its first fold may take.
    needs : float
        Seconds of a fit as they were forecast; 0 where they were not.
    """

    learner: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    origin: Literal["portfolio", "search"] = "portfolio"
    once: bool = False
    share: float | None = None
    needs: float = 0.0

    @property
    def alone(self) -> bool:
        """Whether its fits use all processors, so that no other one runs beside them."""
        return self.once or self.share is not None

    @property
    def key(self) -> str:
        """Name of the candidate, equal for equal learner and parameters: results are kept under it."""
        content = json.dumps([self.learner, to_json(self.parameters)], sort_keys=True)
        return f"{self.learner}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def words(self) -> str:
        """The parameters in one line."""
        return words_of(self.parameters)


def words_of(parameters: Mapping[str, Any]) -> str:
    """Return parameters in one line."""
    return ", ".join(f"{name}={_short(value)}" for name, value in parameters.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def seed_of(seed: int, key: str, fold: int | None) -> int:
    """Return the seed of one fit: another one for each candidate and fold, the same one every time."""
    content = f"{seed}:{key}:{fold}"
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:4], "big") >> 1
