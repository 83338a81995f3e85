"""Train what a way unfroze and the head, together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.foundation.training.loop import Loop

if TYPE_CHECKING:
    from luban.foundation.training.work import Work


def jointly(work: Work) -> None:
    """Run the loop until the work is done, nothing gets better or the time is up."""
    Loop(work).run()
