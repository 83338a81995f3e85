"""What the metadata of an Arrow schema say of pictures and sounds.

- A field: ``luban.kind`` (``image`` or ``audio``): its values are references. ``luban.sound`` (``1``): every file was
  read to its end. ``luban.broken``: JSON, how many could not be read and which. ``luban.note``: what a person should
  know of the column.
- The schema: ``luban.target``: the column that the source takes for the target.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from luban.data.media.endings import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from luban.data.media.endings import MediaKind

_KIND, _SOUND, _BROKEN, _NOTE, _TARGET = b"luban.kind", b"luban.sound", b"luban.broken", b"luban.note", b"luban.target"


def kind(field: pa.Field) -> MediaKind | None:
    """Return the kind of a column whose values are references, or None."""
    marked = (field.metadata or {}).get(_KIND, b"").decode()
    return cast("MediaKind", marked) if marked in KINDS else None


def is_sound(field: pa.Field) -> bool:
    """Return whether every file behind the column was read to its end."""
    return (field.metadata or {}).get(_SOUND) == b"1"


def broken(field: pa.Field) -> Mapping[str, Any]:
    """Return ``{"count": ..., "files": [{"name": ..., "why": ...}, ...]}`` of files that could not be read."""
    found = (field.metadata or {}).get(_BROKEN)
    return cast("Mapping[str, Any]", json.loads(found)) if found else {"count": 0, "files": []}


def note(field: pa.Field) -> str:
    """Return what a person should know of the column."""
    return str((field.metadata or {}).get(_NOTE, b"").decode())


def target(schema: pa.Schema) -> str | None:
    """Return the column that the source takes for the target, or None."""
    named = (schema.metadata or {}).get(_TARGET)
    return named.decode() if named else None


def marked(
    field: pa.Field,
    kind: str | None = None,
    *,
    sound: bool | None = None,
    broken: Mapping[str, Any] | None = None,
    note: str | None = None,
) -> pa.Field:
    """Return the field with these marks added."""
    metadata = dict(field.metadata or {})
    if kind is not None:
        metadata[_KIND] = kind.encode()
    if sound is not None:
        metadata[_SOUND] = b"1" if sound else b"0"
    if broken is not None:
        metadata[_BROKEN] = json.dumps(broken, ensure_ascii=False).encode()
    if note is not None:
        metadata[_NOTE] = note.encode()
    return field.with_metadata(metadata) if metadata else field


def with_target(schema: pa.Schema, name: str) -> pa.Schema:
    """Return the schema with a target."""
    return schema.with_metadata({**(schema.metadata or {}), _TARGET: name.encode()})
