"""The versions that answer under one name: a champion, canaries that take a share of the rows, and a shadow.

Which one answers a row depends on the row's values alone (`luban.serving.row_key`), so the same row is always
answered by the same version, in whichever request and through whichever wire it comes.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from luban.serving.row_key import row_key, row_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.model import Deployment
    from luban.serving.runtime import Runtime

ArmName = Literal["champion", "canary", "shadow"]
CHAMPION: ArmName = "champion"
CANARY: ArmName = "canary"
SHADOW: ArmName = "shadow"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One version that answers under a name.

    Parameters
    ----------
    runtime : Runtime
        Computes; its ``name`` is the name that requests are for.
    name : {"champion", "canary", "shadow"}
    model : str
        Reference of the version, such as ``"adult/3"``.
    deployment : Deployment, optional
        What it is an arm of; None where a model is served as it is.
    began : int
        Where the deployment has canaries: number of the entry of the audit chain by which its traffic became so.
    """

    runtime: Runtime
    name: ArmName = CHAMPION
    model: str = ""
    deployment: Deployment | None = None
    began: int = 0


@dataclass(frozen=True, kw_only=True)
class Arms:
    """All versions that answer under one name.

    Parameters
    ----------
    answering : tuple of Arm
        The champion first.
    shares : tuple of float
        The share of each, which sum to 1.
    shadow : Arm, optional
        Sees every row and answers none.
    """

    answering: tuple[Arm, ...]
    shares: tuple[float, ...] = (1.0,)
    shadow: Arm | None = None

    @property
    def champion(self) -> Arm:
        """The version that the others are measured against; its columns are those of the name."""
        return self.answering[0]

    @property
    def several(self) -> bool:
        """Whether it depends on a row which version answers it."""
        return len(self.answering) > 1

    def arm(self, key: bytes | None) -> Arm:
        """Return the version that answers the row of this key; without a key the champion."""
        if key is None or not self.several:
            return self.champion
        place = int.from_bytes(key[:8], "big") / 2**64
        # The canaries come first: a greater share keeps the rows that a canary has and adds to them.
        return self._turned[min(bisect_right(self._bounds, place), len(self._turned) - 1)]

    def version(self, version: str) -> Arm | None:
        """Return the arm of a version number, whatever its share."""
        return next((arm for arm in self.answering if str(arm.runtime.version) == version), None)

    def key(self, row: Mapping[str, Any]) -> bytes | None:
        """Return what a row is routed by; None where it makes no difference."""
        return row_key(row, self.champion.runtime.signature.inputs) if self.several else None

    def split(self, rows: pa.Table | Sequence[Mapping[str, Any]]) -> list[tuple[Arm, list[int]]]:
        """Return which rows of a request each version answers: (arm, places of its rows)."""
        if not self.several:
            return [(self.champion, list(range(len(rows))))]
        places: dict[int, list[int]] = {}
        arms: dict[int, Arm] = {}
        for place, key in enumerate(row_keys(rows, self.champion.runtime.signature.inputs)):
            arm = self.arm(key)
            arms[id(arm)] = arm
            places.setdefault(id(arm), []).append(place)
        return [(arms[one], found) for one, found in places.items()]

    @cached_property
    def _turned(self) -> tuple[Arm, ...]:
        return (*self.answering[1:], self.champion)

    @cached_property
    def _bounds(self) -> tuple[float, ...]:
        return tuple(accumulate((*self.shares[1:], self.shares[0])))
