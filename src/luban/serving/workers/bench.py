"""A worker's way to the trials of the whole server, which its parent holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.serial import from_json, to_json
from luban.serving.trials import Verdict
from luban.serving.workers.place import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.serving.trials import Seen
    from luban.serving.workers.place import News


class Told:
    """The bench of a worker: its parent adds up what all workers count, and says what to do.

    Parameters
    ----------
    news : News
        What the parent says.
    """

    def __init__(self, news: News) -> None:
        self._news = news

    def add(self, seen: Seen) -> None:
        """Tell the parent what was counted."""
        tell(seen=to_json(seen))

    def verdicts(self) -> Sequence[Verdict]:
        """Return what the parent has decided since the last call."""
        return [from_json(Verdict, one) for one in self._news.take("verdict")]
