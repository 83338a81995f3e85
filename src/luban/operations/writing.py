"""Tables to files: whole or not at all."""

from __future__ import annotations

import codecs
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".csv", ".jsonl")


def check_output(path: Path) -> None:
    """Raise `InputError` where `path` cannot be written to, before any work is done."""
    if path.suffix not in SUFFIXES:
        raise InputError(
            "the form of the output file is not known",
            seen=repr(path.name),
            remedy=f"Give a name that ends in {', '.join(SUFFIXES)}.",
        )
    if not path.absolute().parent.is_dir():
        raise InputError("the folder of the output file does not exist", seen=str(path.absolute().parent))


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, CSV or JSON Lines, by the suffix of `path`; the file appears when it is whole."""
    check_output(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        _write(table, str(temporary), path.suffix)
        temporary.replace(path)
    except OSError as error:
        raise Unavailable("the output file cannot be written", seen=str(error), remedy="Is the disk full?") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Write a text; the file appears when it is whole."""
    if not path.absolute().parent.is_dir():
        raise InputError("the folder of the output file does not exist", seen=str(path.absolute().parent))
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise Unavailable("the output file cannot be written", seen=str(error), remedy="Is the disk full?") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write(table: pa.Table, path: str, suffix: str) -> None:
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path)
    elif suffix == ".csv":
        from pyarrow import csv

        with Path(path).open("wb") as stream:
            if not _is_ascii(table):  # without the mark spreadsheet programs read UTF-8 as the national encoding
                stream.write(codecs.BOM_UTF8)
            csv.write_csv(_flat(table), stream)
    else:
        with Path(path).open("w", encoding="utf-8") as file:
            for batch in table.to_batches(max_chunksize=10_000):
                file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in batch.to_pylist())


def _flat(table: pa.Table) -> pa.Table:
    """Return the table with its lists as JSON texts, which is all that CSV can hold of them."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [None if one is None else json.dumps(one, ensure_ascii=False) for one in table[place].to_pylist()]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    return table


def _is_ascii(table: pa.Table) -> bool:
    """Return whether the names and texts of a table have no letter beyond ASCII."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    return "".join(table.column_names).isascii() and all(
        pc.all(pc.string_is_ascii(column)).as_py() is not False for column in texts
    )
