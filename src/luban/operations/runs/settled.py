"""Runs of processes that are gone are told to be killed, where somebody looks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from luban.core.errors import Refused, Unavailable

if TYPE_CHECKING:
    from luban.store import Workspace


def settled(workspace: Workspace) -> None:
    """Mark running runs whose process on this machine is gone as killed, where the workspace can be written."""
    with suppress(Refused, Unavailable):
        workspace.runs.settle()
