"""What was asked of one arm and what it answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.serving.answers import Answer
    from luban.serving.arms import Arm

_VALUE = 64  # bytes that a value in a dict takes, about


class Observation(NamedTuple):
    """One request, or the rows of it that one arm answered; see `luban.serving.models.Models.observed`.

    ``moment`` is in microseconds since 1970; ``computed`` are the seconds that the model itself took.
    """

    arm: Arm
    request_id: str
    moment: int
    rows: Mapping[str, Any] | Sequence[Mapping[str, Any]] | pa.Table
    answer: Mapping[str, Any] | Answer | None
    seconds: float
    error: BaseException | None
    places: Sequence[int] | None
    subject: str | None
    consent: bool | None
    computed: float

    @property
    def length(self) -> int:
        """How many rows it is about."""
        return 1 if isinstance(self.rows, Mapping) else len(self.rows)

    @property
    def when(self) -> datetime:
        """The moment of the answer."""
        return datetime.fromtimestamp(self.moment / 1e6, UTC)

    def size(self) -> int:
        """Return about how many bytes it holds on to."""
        if isinstance(self.rows, pa.Table):
            return int(self.rows.nbytes)
        rows = (self.rows,) if isinstance(self.rows, Mapping) else self.rows
        return sum(map(_row_size, rows))


def _row_size(row: Mapping[str, Any]) -> int:
    """Return about how many bytes a row holds on to; a file may lie in a mapping, as `{"bytes": ...}`."""
    size, waiting = 0, [row]
    while waiting:
        part = waiting.pop()
        size += _VALUE * (len(part) + 1)
        for value in part.values():
            if type(value) is str or type(value) is bytes:
                size += len(value)
            elif isinstance(value, dict):
                waiting.append(value)
    return size


def chosen(request_id: str, share: float) -> bool:
    """Return whether a request is among those of which so many are kept.

    Its id decides, so all rows of a request are kept or none, whichever arm, the shadow too, computed them.
    """
    return share >= 1.0 or crc32(request_id.encode("utf-8", "surrogatepass")) < share * 2**32
