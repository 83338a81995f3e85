"""Triton's binary tensors: raw little-endian values after the JSON, of an input or of an output.

Source: https://github.com/triton-inference-server/server (docs/protocol/extension_binary_data.md). NaN in a tensor of
numbers is a missing value; infinities are refused by column as everywhere.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError
from luban.data.media import data_uri
from luban.data.media.endings import KINDS
from luban.serving.wires.tensors import Tensor, check_datatype, check_shape

if TYPE_CHECKING:
    from luban.core.schema import Column

HEADER = "inference-header-content-length"
MEDIA_TYPE = "application/octet-stream"
_TYPES = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
_LENGTH = struct.Struct("<I")


def split(body: bytes, header: str | None) -> tuple[bytes, memoryview]:
    """Return (JSON, what follows it) of a body whose header says how long the JSON is; without one all is JSON.

    Raises
    ------
    InputError
        If the header is no number, or more than the body has.
    """
    if header is None:
        return body, memoryview(b"")
    length = int(header) if header.isdecimal() and len(header) < 20 else -1
    if not 0 <= length <= len(body):
        raise InputError(
            "Inference-Header-Content-Length must be the bytes of the JSON at the beginning of the body",
            seen=f"{header[:50]!r}, and a body of {len(body)} bytes",
        )
    return body[:length], memoryview(body)[length:]


class Binary:
    """The raw part of a request; inputs take their bytes from it in order."""

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw
        self._at = 0

    def tensor(self, tensor: dict[str, Any], size: Any, column: Column) -> Tensor:
        """Return the values of an input that has so many bytes.

        Raises
        ------
        InputError
            Naming the column, where size, shape and bytes do not fit.
        """
        kind, rows = check_datatype(tensor, column), check_shape(tensor.get("shape"), column)
        if "data" in tensor:
            raise InputError(f"the input {column.name!r} has both data and binary_data_size")
        if type(size) is not int or size < 0 or self._at + size > len(self._raw):
            raise InputError(
                f"the input {column.name!r} has a binary_data_size that is not there",
                seen=f"{size!r}, and {len(self._raw) - self._at} bytes are left"[:200],
            )
        raw = self._raw[self._at : self._at + size]
        self._at += size
        if kind == "BYTES":
            return Tensor(kind, _elements(raw, rows, column))
        form = np.dtype(_TYPES[kind])
        if len(raw) != rows * form.itemsize:
            raise InputError(
                f"the input {column.name!r} has another number of bytes than its shape says",
                seen=f"{len(raw)} bytes for {rows} values of {kind}",
            )
        values = np.frombuffer(raw, form)
        if kind == "BOOL" and len(raw) and np.frombuffer(raw, np.uint8).max() > 1:
            raise InputError(f"the input {column.name!r} has a value that is no BOOL", seen="a byte other than 0 and 1")
        found: list[Any] = values.tolist()
        if values.dtype.kind == "f":
            found = [None if one != one else one for one in found]  # noqa: PLR0124 - NaN
        return Tensor(kind, found)

    def end(self) -> None:
        """Raise `InputError` where bytes are left that no input took."""
        if self._at != len(self._raw):
            raise InputError("bytes follow that belong to no input", seen=f"{len(self._raw) - self._at} bytes")


def _elements(raw: memoryview, rows: int, column: Column) -> list[Any]:
    found: list[Any] = []
    at = 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise _broken(column, "a length is cut off")
        size = _LENGTH.unpack_from(raw, at)[0]
        at += 4
        if at + size > len(raw):
            raise _broken(column, f"element {len(found) + 1} is cut off")
        found.append(_text(bytes(raw[at : at + size]), column, len(found)))
        at += size
    if len(found) != rows:
        raise _broken(column, f"{len(found)} elements, and its shape says {rows}")
    return found


def _text(content: bytes, column: Column, row: int) -> str | None:
    if column.kind in KINDS and not (content.isascii() and content.decode("ascii").isprintable()):
        return data_uri(content)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the column {column.name!r} has a value that is no text in UTF-8, in row {row + 1}", seen=str(error)
        ) from None


def _broken(column: Column, seen: str) -> InputError:
    return InputError(
        f"the input {column.name!r} is no row of BYTES, each with its length in 4 bytes before it", seen=seen
    )


def raw_bytes(tensor: dict[str, Any]) -> bytes:
    """Return the data of an output tensor, as `luban.serving.wires.tensors.encode` gives it, as raw bytes."""
    kind, data = tensor["datatype"], tensor["data"]
    if kind == "BYTES":
        encoded = [str(one).encode() for one in data]
        return b"".join(_LENGTH.pack(len(one)) + one for one in encoded)
    found: bytes = np.array(data, _TYPES[kind]).tobytes()
    return found
