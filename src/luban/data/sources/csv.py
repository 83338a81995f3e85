"""Text tables: CSV, TSV and their relatives, plain or gzipped."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from luban.core.errors import InputError
from luban.data.checks import check_names
from luban.data.sources.choices import (
    check_bad_rows,
    check_codec,
    check_count,
    check_decimal,
    check_delimiter,
    check_quote,
)
from luban.data.sources.dialect import cut, decimal_mark, detect_dialect
from luban.data.sources.encoding import check_encoding, detect_encoding
from luban.data.sources.location import empty, is_folder, is_path, no_table, open_arrow, open_binary, suffixes
from luban.data.sources.narrowing import NULL_WORDS, Narrowing
from luban.data.sources.remote import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".psv", ".txt", ".data", ".dat", ""})
_SAMPLE = 1 << 18
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Every choice that was made to read a text table; it travels in the schema's metadata (``luban.reading``).

    Parameters
    ----------
    block : int
        Bytes of text that are read at once.
    skipped : int
        Rows of the wrong width that are left out.
    """

    encoding: str
    delimiter: str
    quote: str
    header: bool
    decimal: str
    skip: int
    names: tuple[str, ...]
    block: int
    skipped: int = 0


class _Judge:
    """What becomes of rows of the wrong width; keeps the first of them, and how many there are."""

    def __init__(self, bad_rows: str) -> None:
        self._verdict = "skip" if bad_rows == "skip" else "error"
        self._widths: list[int] = []  # appended to, which several threads may do at once
        self.first: Any = None

    def __call__(self, row: Any) -> str:
        self.first = self.first or row
        self._widths.append(row.actual_columns)
        return self._verdict

    @property
    def count(self) -> int:
        return len(self._widths)


class CsvSource:
    """Text tables whose dialect, encoding, decimal mark and types are found from the text itself."""

    def matches(self, location: Any) -> bool:
        """Return whether the name ends in .csv, .tsv, .tab, .psv, .txt, .data, .dat or nothing, also with .gz."""
        if not is_path(location) or is_folder(location):
            return False
        ending = suffixes(location)
        return ending in SUFFIXES and bool(ending or not is_url(location))

    def read(
        self,
        location: Any,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        decimal: str | None = None,
        header: bool | None = None,
        names: Sequence[str] | None = None,
        skip: int = 0,
        nulls: Sequence[str] = NULL_WORDS,
        types: bool = True,
        bad_rows: str = "error",
        block: int | None = None,
        **options: Any,
    ) -> Iterator[pa.RecordBatch]:
        """Yield batches of about 1 MB of text.

        The file is read three times: for its encoding, for its types, for its rows. What was chosen is in the
        schema's metadata under ``luban.reading``.

        Parameters
        ----------
        location : str or path
        encoding, delimiter, quote, decimal : str, optional
            Found from the text where not given.
        header : bool, optional
            Whether the first line holds names; found where not given.
        names : sequence of str, optional
            Names for all columns, in place of the header's.
        skip : int
            Lines to leave out at the start.
        nulls : sequence of str
            Words that mean "missing".
        types : bool
            Find numbers and booleans; otherwise every column is text.
        bad_rows : {"error", "skip"}
            What to do with a row of the wrong width.
        block : int, optional
            Bytes of text that are read at once; a row must fit. By default 1 MB, more where rows are long or wide.

        Raises
        ------
        InputError
            If the file is empty, no table, in another encoding, ragged, has double or unnamed columns, or a choice
            is none.
        """
        if options:
            raise InputError(f"CSV files have no option {min(options)!r}", remedy=_OPTIONS)
        delimiter = check_delimiter(delimiter)
        check_quote(quote, delimiter)
        check_decimal(decimal)
        check_codec(encoding)
        check_bad_rows(bad_rows)
        check_count("skip", skip, 0)
        check_count("block", block, 1)
        if encoding is None:
            encoding = detect_encoding(location)
        else:
            check_encoding(location, encoding)
        sample = _sample(location, encoding, skip)
        dialect = detect_dialect(sample, delimiter=delimiter, quote=quote, header=header)
        if dialect is None:
            raise empty(location) if not sample.strip() else no_table(location, f"running text: {sample[:60]!r}")
        rows = cut(sample.splitlines(keepends=True)[:2000], dialect.delimiter, dialect.quote)
        found = rows[0] if dialect.header else [f"column_{place}" for place in range(1, len(rows[0]) + 1)]
        found = _named(found, names)
        check_names(found, repr(str(location)))
        body = rows[1:] if dialect.header else rows
        reading = Reading(
            encoding=encoding,
            delimiter=dialect.delimiter,
            quote=dialect.quote,
            header=dialect.header,
            decimal=decimal or decimal_mark(body, dialect.delimiter),
            skip=skip,
            names=tuple(found),
            block=block or max(_BLOCK, 4096 * len(found), 64 * max(map(len, sample.splitlines()))),
        )
        return _read(location, reading, tuple(nulls), types, bad_rows)


_OPTIONS = "Options: encoding, delimiter, quote, decimal, header, names, skip, nulls, types, bad_rows, block."


def _named(found: list[str], names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [name.strip() for name in found]
    if len(names) != len(found):
        raise InputError(f"{len(names)} names are given for {len(found)} columns", remedy="Give one name a column.")
    return list(names)


def _sample(location: Any, encoding: str, skip: int) -> str:
    with open_binary(location) as stream, io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
        for _ in range(skip):
            text.readline()
        sample = text.read(_SAMPLE)
        return sample + text.readline() if len(sample) == _SAMPLE else sample


def _read(
    location: Any, reading: Reading, nulls: tuple[str, ...], types: bool, bad_rows: str
) -> Iterator[pa.RecordBatch]:
    start = Narrowing(decimal=reading.decimal, nulls=nulls, kind="nothing" if types else "text")
    plan = [start] * len(reading.names)
    judge = _Judge(bad_rows)
    for batch in _blocks(location, reading, judge):
        plan = [one if one.kind == "text" else one.seen(batch.column(place)) for place, one in enumerate(plan)]
    schema = pa.schema(
        [pa.field(name, one.type) for name, one in zip(reading.names, plan, strict=True)],
        metadata={"luban.reading": json.dumps(vars(reading) | {"skipped": judge.count}, ensure_ascii=False)},
    )
    some = False
    for batch in _blocks(location, reading, _Judge(bad_rows)):
        some = True
        columns = [one.apply(batch.column(place)) for place, one in enumerate(plan)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
    if not some:
        yield pa.RecordBatch.from_pylist([], schema=schema)


def _blocks(location: Any, reading: Reading, judge: _Judge) -> Iterator[pa.RecordBatch]:
    with open_arrow(location) as stream:
        try:
            yield from _parse(stream, reading, judge)
        except (pa.ArrowInvalid, UnicodeError, EOFError, OSError) as error:
            row = judge.first
            if row is not None:
                raise InputError(
                    f"a row of {str(location)!r} has {row.actual_columns} cells instead of {row.expected_columns}",
                    seen=repr(row.text[:120]),
                    remedy="Mend the row (often a missing quote), or leave such rows out: luban data import with "
                    "--bad-rows skip (bad_rows='skip' in Python).",
                ) from error
            raise InputError(
                f"{str(location)!r} cannot be read as a text table", seen=str(error)[:200], remedy=_OPTIONS
            ) from error


def _parse(stream: Any, reading: Reading, judge: _Judge) -> Iterator[pa.RecordBatch]:
    try:
        yield from arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                column_names=list(reading.names),
                skip_rows=reading.skip,
                skip_rows_after_names=int(reading.header),
                block_size=reading.block,
                encoding="utf8" if reading.encoding in {"utf-8", "utf-8-sig"} else reading.encoding,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=reading.delimiter,
                quote_char=reading.quote,
                newlines_in_values=True,
                ignore_empty_lines=len(reading.names) > 1,
                invalid_row_handler=judge,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(reading.names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise
