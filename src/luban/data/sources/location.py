"""Locations: a path or URL, with compression, opened for reading."""

from __future__ import annotations

import gzip
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from luban.core.errors import InputError, NotFound, Unavailable
from luban.data.sources.remote import is_url, open_url

# The first bytes of files that people take for tables, and what they are.
_MAGIC = (
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Office document or an Excel workbook"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ARROW1", "an Arrow file"),
    (b"RIFF", "a sound or video file"),
    (b"\x80\x04\x95", "a pickle, which is never read because loading one runs code"),
)


def is_path(location: Any) -> bool:
    """Return whether `location` names a file or a URL."""
    return isinstance(location, str | os.PathLike)


def suffixes(location: Any) -> str:
    """Return the suffix of a path in lower case, without ``.gz``: ``".csv"`` for ``data.CSV.gz``."""
    return Path(_name(location).removesuffix(".gz")).suffix


def _name(location: Any) -> str:
    """Return a path in lower case, of a URL what stands before its query."""
    name = str(location).lower()
    return re.split(r"[?#]", name, maxsplit=1)[0] if is_url(name) else name


def is_folder(location: Any) -> bool:
    """Return whether `location` is a folder on this machine."""
    return is_path(location) and not is_url(location) and Path(location).expanduser().is_dir()


def exists(location: Any) -> None:
    """Raise `NotFound` with the nearest file names if `location` is a path to nothing."""
    if is_url(location):
        return
    path = Path(location).expanduser()
    if path.exists():
        return
    folder = path.parent
    if not folder.is_dir():
        raise NotFound(f"there is no file {str(path)!r}", seen=f"no folder {str(folder)!r}", remedy="Check the path.")
    names = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    near = get_close_matches(path.name, names, n=3, cutoff=0.5) or names[:5]
    remedy = f"Nearest names in {str(folder)!r}: {', '.join(near)}." if near else f"{str(folder)!r} is empty."
    raise NotFound(f"there is no file {str(path)!r}", remedy=remedy)


def open_binary(location: Any) -> IO[bytes]:
    """Return the file or URL (through fsspec) as a stream of bytes, decompressed where it ends in ``.gz``."""
    exists(location)
    if is_url(location):
        stream = open_url(str(location))
    else:
        try:
            stream = Path(location).expanduser().open("rb")
        except OSError as error:
            remedy = "Give a file, not a folder." if isinstance(error, IsADirectoryError) else "Check its rights."
            raise Unavailable(f"{str(location)!r} cannot be opened", seen=str(error), remedy=remedy) from error
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if _name(location).endswith(".gz") else stream


def open_arrow(location: Any) -> pa.NativeFile:
    """Return the file or URL as Arrow's own stream, which reads ahead without the interpreter's memory."""
    exists(location)
    if is_url(location):
        return pa.PythonFile(open_binary(location))
    gzipped = "gzip" if _name(location).endswith(".gz") else None
    return pa.input_stream(str(Path(location).expanduser()), compression=gzipped)


def what_is_it(head: bytes) -> str | None:
    """Return in words what a file that begins with `head` is, where that is known and no text table."""
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")):
        return "a web page or XML document"
    return None


def no_table(location: Any, what: str) -> InputError:
    """Return the error for a file that is no table."""
    return InputError(
        f"{str(location)!r} is no table",
        seen=what,
        remedy="Give a CSV, TSV, Parquet, JSON Lines or Excel file whose name ends accordingly.",
    )


def empty(location: Any) -> InputError:
    """Return the error for a file without content."""
    return InputError(f"{str(location)!r} is empty", seen="no rows", remedy="Give a file with a header and rows.")
