"""What became of requests: counts by minute, added to by several writers, and forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.store import Workspace

NOON = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)


def test_counts_of_a_minute_add_up_whoever_writes(workspace: Workspace) -> None:
    def write(_: int) -> None:
        workspace.outcomes.add("shop", {"answered": 3, "failed": 1}, NOON)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))
    workspace.outcomes.add("shop", {"dropped": 7}, NOON + timedelta(minutes=2))
    workspace.outcomes.add("other", {"dropped": 9}, NOON)
    later, first = workspace.outcomes.read("shop")
    assert first.began == NOON.replace(second=0)
    assert first.counts == {"answered": 36, "failed": 12}
    assert later.counts == {"dropped": 7}
    assert workspace.outcomes.read("shop", NOON + timedelta(seconds=50)) == [later]
    assert workspace.outcomes.newest("shop") == (later.began, 7)
    assert workspace.outcomes.newest("nobody") is None


def test_old_counts_are_forgotten_of_what_is_deployed_no_more_too(workspace: Workspace) -> None:
    for name in ("shop", "removed"):
        workspace.outcomes.add(name, {"failed": 1}, NOON - timedelta(days=300))
        workspace.outcomes.add(name, {"failed": 2})
    workspace.outcomes.forget()
    for name in ("shop", "removed"):
        assert [one.counts for one in workspace.outcomes.read(name)] == [{"failed": 2}]
