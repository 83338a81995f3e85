"""Forms with files (multipart/form-data, RFC 7578) as rows: a part is a value of the column that it names."""

from __future__ import annotations

import re
from email.message import Message
from typing import TYPE_CHECKING, Any, NamedTuple

from luban.core.errors import InputError
from luban.data.media import data_uri
from luban.data.media.endings import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from luban.core.schema import Column

MEDIA_TYPE = "multipart/form-data"
MOST_PARTS = 10_000
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]")
_REMEDY = "Name each part by a column: curl -F photo=@cat.jpg -F age=3 URL"


class Part(NamedTuple):
    """One field of a form."""

    name: str
    content: bytes


def is_form(content_type: str) -> bool:
    """Return whether a request's Content-Type is that of a form with files."""
    return content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def records(body: bytes, content_type: str, columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Return the rows of a form; a name that is there n times makes n rows, in the order of the parts.

    Parameters
    ----------
    body : bytes
    content_type : str
        The request's, with the boundary.
    columns : mapping of str to Column
        Of the model: files for pictures and sounds are taken as their content, everything else as text in UTF-8.

    Raises
    ------
    InputError
        If it is no such form, a part is no text, or columns have different numbers of parts.
    """
    values: dict[str, list[Any]] = {}
    for part in parts(body, content_type):
        values.setdefault(part.name, []).append(_value(part, columns.get(part.name)))
    if not values:
        raise InputError("the form has no parts", remedy=_REMEDY)
    first, rows = next((name, len(found)) for name, found in values.items())
    for name, found in values.items():
        if len(found) != rows:
            raise InputError(
                "the columns of the form have different numbers of parts",
                seen=f"{first!r} has {rows}, {name!r} has {len(found)}",
                remedy="Send each column once a row.",
            )
    return [{name: found[row] for name, found in values.items()} for row in range(rows)]


def parts(body: bytes, content_type: str) -> Iterator[Part]:
    """Yield the parts of a form.

    Raises
    ------
    InputError
        If the body is no whole form.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
        raise _broken("its Content-Type has no boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("ascii"))
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise _broken("it does not end with its boundary")
    if len(pieces) - 2 > MOST_PARTS:
        raise InputError("the form has too many parts", seen=f"{len(pieces) - 2:,}, at most {MOST_PARTS:,} are read")
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        if not blank:
            raise _broken("a part has no blank line after its headers")
        yield Part(_name(head), content)


def _name(head: bytes) -> str:
    """Return the name of a part by its headers."""
    headers = Message()
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        # The name may be any text: browsers and curl send it as plain UTF-8.
        headers[key.decode("latin-1").strip().lower() or "x"] = value.decode("utf-8", "replace").strip()
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise _broken("a part has no name")
    return name.replace("%22", '"')


def _value(part: Part, column: Column | None) -> Any:
    media = column is not None and column.kind in KINDS
    if media and not _is_reference(part.content):
        return data_uri(part.content) if part.content else None
    try:
        return part.content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the part {part.name!r} of the form is no text in UTF-8", seen=str(error), remedy="Send text."
        ) from None


def _is_reference(content: bytes) -> bool:
    """Return whether the content of a part is text that stands for a file: base64 or a data URI (or a path)."""
    return content.isascii() and content.decode("ascii").isprintable()


def _broken(seen: str) -> InputError:
    return InputError("the form cannot be read", seen=seen, remedy=_REMEDY)
