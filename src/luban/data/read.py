"""Read rows from anywhere: the first source of the plug-in table that matches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from luban.core import plugins
from luban.core.errors import InputError, MissingExtra, NotFound
from luban.data.media.recognise import recognised
from luban.data.sources.location import exists, is_folder, is_path, no_table, open_binary, what_is_it
from luban.data.sources.remote import is_url, without_password
from luban.data.storage import plain_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from luban.core.protocols import Source


def batches(
    location: Any, *, reader: str | None = None, media: str | None = None, **options: Any
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `location` in batches of bounded size, all of one Arrow schema.

    Columns of pictures and sounds hold references and are marked so; see `luban.data.media.recognise`.

    Parameters
    ----------
    location : str, path or object
        A file, a folder, a database URL, or a table in memory.
    reader : str, optional
        Name of the source to use (``luban plugins`` lists them); by default the first that matches.
    media : str, optional
        Folder that paths of pictures and sounds start from and must not leave; by default that of the file.
    **options
        Of the source: for CSV ``delimiter``, ``encoding``, ...; for SQL ``query`` or ``table``; for Excel ``sheet``.

    Raises
    ------
    NotFound
        If there is no such file (with the nearest names).
    InputError
        If no source can read it, or what it holds is no table.
    Refused
        If a path of a picture or sound leaves the folder.
    """
    part = find(location) if reader is None else cast("Source", plugins.create("sources", reader))
    rows = map(plain_batch, part.read(location, **options))
    in_memory = media is None and not is_path(location)
    return recognised(rows, _start(location) if media is None else _folder(media), inside=not in_memory)


def table(location: Any, *, reader: str | None = None, media: str | None = None, **options: Any) -> pa.Table:
    """Return all rows of `location` in memory; see `batches`."""
    return pa.Table.from_batches(list(batches(location, reader=reader, media=media, **options)))


def _start(location: Any) -> str | None:
    """Return the folder that relative paths in the rows start from."""
    if not is_path(location):
        return str(Path.cwd())
    if is_url(location):
        return None
    path = Path(location).expanduser()
    return str(path if path.is_dir() else path.parent)


def _folder(media: str) -> str:
    path = Path(media).expanduser()
    if not path.is_dir():
        raise NotFound(f"there is no folder {str(path)!r}", remedy="Name the folder that holds the pictures or sounds.")
    return str(path)


def find(location: Any) -> Source:
    """Return the first source that matches `location`."""
    if is_path(location):
        location = str(location)
        if not is_folder(location) and not is_url(location):
            exists(location)
    missing: MissingExtra | None = None
    for name in plugins.names("sources"):
        try:
            part = cast("Source", plugins.create("sources", name))
        except MissingExtra as error:
            missing = error
            continue
        if part.matches(location):
            return part
    raise missing or _unknown(location)


def reading(schema: pa.Schema) -> Mapping[str, Any]:
    """Return the choices that a source made (delimiter, encoding, ...), as it noted them in the schema."""
    noted = (schema.metadata or {}).get(b"luban.reading")
    return cast("Mapping[str, Any]", json.loads(noted)) if noted else {}


def _unknown(location: Any) -> InputError:
    if is_path(location) and not is_url(location):
        with open_binary(location) as stream:
            what = what_is_it(stream.read(512))
        return no_table(location, what or "a name whose ending says nothing about its content")
    if is_path(location):
        return InputError(
            "the address does not say what it leads to",
            seen=repr(without_password(location))[:120],
            remedy="Give a URL that ends in .csv, .parquet, .jsonl or .xlsx, or download the file and give its path.",
        )
    return InputError(
        "no source can read this",
        seen=type(location).__name__,
        remedy=f"Sources: {', '.join(plugins.names('sources'))}. Give a file, a database URL or a data frame.",
    )
