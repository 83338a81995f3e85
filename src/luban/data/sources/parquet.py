"""Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from luban.core.errors import InputError
from luban.data.checks import check_names
from luban.data.sources.location import empty, is_path, open_binary, suffixes, what_is_it
from luban.data.sources.remote import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class ParquetSource:
    """Parquet files, read in batches of 65,536 rows (fewer where there are many columns)."""

    def matches(self, location: Any) -> bool:
        """Return whether the name ends in .parquet or .pq."""
        return is_path(location) and suffixes(location) in {".parquet", ".pq"}

    def read(self, location: Any, *, columns: Sequence[str] | None = None, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows, of these columns where they are given.

        Raises
        ------
        InputError
            If the file is empty, damaged or no Parquet.
        """
        if options:
            raise InputError(f"Parquet files have no option {min(options)!r}", remedy="Options: columns.")
        with open_binary(location) as stream:
            head = stream.read(512)
        if not head:
            raise empty(location)
        where = location if is_url(location) else str(Path(location).expanduser())
        try:
            file = pq.ParquetFile(open_binary(location) if is_url(location) else where)
        except (pa.ArrowInvalid, OSError) as error:
            seen = what_is_it(head) if not head.startswith(b"PAR1") else f"damaged: {str(error)[:120]}"
            raise InputError(
                f"{str(location)!r} is no Parquet file that can be read",
                seen=seen or "other content",
                remedy="Write it again, or give it the name that fits its content.",
            ) from error
        check_names(file.schema_arrow.names, repr(str(location)))
        return _batches(file, columns)


def _batches(file: pq.ParquetFile, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    with file:
        # Without what its maker noted: a file must not say of its own columns that they lead to other files.
        schema = pa.schema([pa.field(field.name, field.type, field.nullable) for field in file.schema_arrow])
        schema = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        some = False
        rows = max(1024, min(65_536, 4_000_000 // max(1, len(schema))))
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            some = True
            yield pa.RecordBatch.from_arrays(batch.select(schema.names).columns, schema=schema)
        if not some:
            yield pa.RecordBatch.from_pylist([], schema=schema)
