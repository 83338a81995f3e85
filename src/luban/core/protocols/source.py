"""Where rows come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


@runtime_checkable
class Source(Protocol):
    """Somewhere rows come from (group ``luban.sources``)."""

    def matches(self, location: Any) -> bool:
        """Return whether this source can read `location`: a path, a URL or an object in memory."""

    def read(self, location: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of bounded size, all of one Arrow schema (at least one batch)."""
