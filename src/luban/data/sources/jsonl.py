"""JSON Lines (one object a line) and JSON files that hold an array of objects."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.json as arrow_json

from luban.core.errors import InputError
from luban.data.checks import check_names
from luban.data.sources import values
from luban.data.sources.location import empty, is_path, no_table, open_binary, suffixes, what_is_it
from luban.data.sources.unify import agreed, fit

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 8 << 20
_ROWS = 65_536


class JsonLinesSource:
    """JSON Lines in blocks of 8 MB; a JSON array is read whole. A name that a row lacks is missing there."""

    def matches(self, location: Any) -> bool:
        """Return whether the name ends in .jsonl, .ndjson or .json, also with .gz."""
        return is_path(location) and suffixes(location) in {".jsonl", ".ndjson", ".json"}

    def read(self, location: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows; types are found in a first pass over the whole file.

        Raises
        ------
        InputError
            If the file is empty or a line is no JSON object, naming the line.
        """
        if options:
            raise InputError(f"JSON files have no option {min(options)!r}", remedy="Leave it out.")
        with open_binary(location) as stream:
            head = stream.read(4096)
        if not head.strip():
            raise empty(location)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            return _array(location)
        what = what_is_it(head)
        if what or not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            raise no_table(location, what or f"no JSON object: {head[:40]!r}")
        return _lines(location)


def _array(location: Any) -> Iterator[pa.RecordBatch]:
    with open_binary(location) as stream:
        try:
            rows = json.loads(stream.read())
        except (ValueError, UnicodeError) as error:
            raise InputError(f"{str(location)!r} is no valid JSON", seen=str(error)[:160], remedy="Mend it.") from error
    if not all(isinstance(row, dict) for row in rows):
        raise no_table(location, "a JSON array of something other than objects")
    if not rows:
        raise empty(location)
    table = values.from_rows(rows)
    check_names(table.column_names, repr(str(location)))
    yield from table.to_batches(max_chunksize=_ROWS)


def _lines(location: Any) -> Iterator[pa.RecordBatch]:
    schema: pa.Schema | None = None
    for first, block in _blocks(location):
        schema = agreed(schema, _parse(location, first, block, None).schema)
    if schema is None:
        raise empty(location)
    check_names(schema.names, repr(str(location)))
    for first, block in _blocks(location):
        table = fit(_parse(location, first, block, schema), schema)
        yield from table.to_batches(max_chunksize=_ROWS)


def _blocks(location: Any) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line, whole lines)."""
    line, rest = 1, b""
    with open_binary(location) as stream:
        while data := stream.read(_BLOCK):
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if whole.strip():
                yield line, whole + newline
            line += whole.count(b"\n") + len(newline)
        if rest.strip():
            yield line, rest


def _parse(location: Any, first: int, block: bytes, schema: pa.Schema | None) -> pa.Table:
    options = arrow_json.ParseOptions(explicit_schema=schema)
    try:
        return arrow_json.read_json(
            io.BytesIO(block), read_options=arrow_json.ReadOptions(block_size=len(block) + 1), parse_options=options
        )
    except pa.ArrowInvalid:  # mixed types, or a broken line: Python tells which
        rows = []
        for place, line in enumerate(block.splitlines()):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                seen = f"line {first + place}: {line[:60]!r}"
                raise InputError(
                    f"{str(location)!r} has a line that is no JSON", seen=seen, remedy="Mend it."
                ) from error
            if not isinstance(row, dict):
                raise no_table(location, f"line {first + place} is no JSON object") from None
            rows.append(row)
        return values.from_rows(rows)
