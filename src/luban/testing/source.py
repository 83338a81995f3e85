"""What every source of rows must do; run it over one of your own with `check_source`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.errors import LubanError
from luban.core.protocols import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 1_000_000
"""A batch that holds more rows than this is not bounded."""


def check_source(
    source: Source,
    location: Any,
    *,
    expected: pa.Table | None = None,
    strangers: Sequence[Any] = (),
    broken: Sequence[Any] = (),
    **options: Any,
) -> None:
    """Raise AssertionError where a source breaks the protocol.

    Parameters
    ----------
    source : Source
    location : object
        Something that it can read, with at least one row.
    expected : pyarrow.Table, optional
        The rows that are there.
    strangers : sequence
        Locations that it must leave to others.
    broken : sequence
        Locations that match but cannot be read: they must raise a `LubanError`.
    **options
        Passed to ``read``.
    """
    assert isinstance(source, Source), "it lacks matches() or read()"
    assert source.matches(location) is True, f"it does not match {location!r}"
    for stranger in strangers:
        assert source.matches(stranger) is False, f"it matches {stranger!r}, which it cannot read"
    first = list(source.read(location, **options))
    assert first, "it yields no batch"
    assert all(isinstance(batch, pa.RecordBatch) for batch in first), "it yields something other than record batches"
    assert all(batch.schema == first[0].schema for batch in first), "its batches differ in schema"
    assert all(batch.num_rows <= MOST_ROWS for batch in first), "a batch is not bounded"
    names = first[0].schema.names
    assert all(name.strip() for name in names), "a column has no name"
    assert len(set(names)) == len(names), "two columns have one name"
    table = pa.Table.from_batches(first)
    assert table.num_rows > 0, "it yields no rows"
    table.validate(full=True)
    again = pa.Table.from_batches(list(source.read(location, **options)))
    assert again.equals(table), "a second reading gives other rows"
    if expected is not None:
        assert table.column_names == expected.column_names, "the columns are not those expected"
        assert table.to_pylist() == expected.to_pylist(), "the rows are not those expected"
    _check_unknown_option(source, location, options)
    for one in broken:
        _check_broken(source, one, options)


def _check_unknown_option(source: Source, location: Any, options: dict[str, Any]) -> None:
    error = _error(source, location, {**options, "no_such_option_at_all": 1})
    assert error is not None, "an unknown option is swallowed"
    assert "no_such_option_at_all" in str(error), "the error does not name the unknown option"


def _check_broken(source: Source, location: Any, options: dict[str, Any]) -> None:
    error = _error(source, location, options)
    assert error is not None, f"{location!r} is broken and was read"
    assert error.happened, "the error does not say what happened"
    assert error.seen or error.remedy, "the error says neither what was seen nor what to do"


def _error(source: Source, location: Any, options: dict[str, Any]) -> LubanError | None:
    try:
        list(source.read(location, **options))
    except LubanError as error:
        return error
    return None
