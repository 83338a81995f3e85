"""One value of a column of pictures or sounds, in whatever form it comes, as a reference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from luban.core.errors import InputError, Refused
from luban.core.paths import paths_allowed
from luban.data.media.objects import array_of, embedded, is_object
from luban.data.media.reference import data_uri, from_base64, is_data_uri, shown


def reference(value: Any, kind: str, *, paths: bool | None = None) -> str | None:
    """Return the reference that a value stands for, None where it is missing.

    Parameters
    ----------
    value : object
        A path, bytes, a data URI, base64, an image of Pillow, an array of pixels, ``(samples, rate)``, or a mapping
        with ``bytes`` or ``path``.
    kind : {"image", "audio"}
    paths : bool, optional
        Whether a path is taken; by default what `luban.core.paths` says.

    Raises
    ------
    Refused
        If it is a path and paths are not taken.
    InputError
        If it is nothing of all this.
    """
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return data_uri(bytes(value)) if len(value) else None
    if is_object(value):
        return embedded(value)
    if isinstance(value, np.ndarray):
        return array_of(kind, value)
    if isinstance(value, Mapping) and ("bytes" in value or "path" in value):
        return reference(value.get("bytes") or value.get("path"), kind, paths=paths)
    if isinstance(value, str | os.PathLike):
        return _of_text(os.fspath(value), kind, paths_allowed() if paths is None else paths)
    raise InputError(
        f"this is no {_WORDS[kind]}",
        seen=f"{type(value).__name__} {str(value)[:60]}",
        remedy="Give a path, the bytes of a file, a data URI, base64, or an array.",
    )


_WORDS = {"image": "picture", "audio": "sound"}


def _of_text(value: str, kind: str, paths: bool) -> str | None:
    plain = value.strip()
    if not plain or is_data_uri(plain):
        return plain or None
    content = from_base64(plain) if len(plain) >= 64 else None
    if content is not None:
        return data_uri(content)
    if paths:
        return os.path.abspath(os.path.expanduser(plain))  # noqa: PTH100, PTH111 - of many strings
    raise Refused(
        f"a {_WORDS[kind]} is taken as content here, never as a path",
        seen=shown(plain),
        remedy="Send the content of the file: in base64, or as data:<type>;base64,...",
    )
