"""Which columns of a table are references to pictures or sounds, and where their paths lead.

A column of file names is one of pictures (or sounds) where every name in the first rows, or most of them, ends like
one and at least one of these files is there; names of files that are nowhere to be found stay words. Relative paths
start from the folder of the table, or from one folder in it (``images/``) that has the files. A path that leaves the
folder is refused: a table that was sent by another must not read this machine's files. Content inside the table
(bytes, or the hub's structures of bytes and path) goes to files.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.errors import Refused
from luban.core.paths import paths_allowed
from luban.data.media import marks, spill
from luban.data.media.endings import kind_of_content, kind_of_name
from luban.data.media.reference import from_base64, is_data_uri
from luban.data.storage import plain_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from luban.data.media.endings import MediaKind

_LOOKED_AT = 1000
_FOLDERS = 50
_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "missing"})


def kind_of_references(values: pa.ChunkedArray | pa.Array) -> MediaKind | None:
    """Return what values in memory are references to, or None: data URIs, or absolute paths of files that are there."""
    if not pa.types.is_string(plain_type(values.type)):
        return None
    some = _some(values)
    if not some:
        return None
    if is_data_uri(some[0]):
        kinds = {_kind_of_uri(one) for one in some}
    elif paths_allowed() and all(map(os.path.isabs, some)) and any(map(os.path.isfile, some[:20])):
        kinds = {kind_of_name(one) for one in some}
        if None in kinds:  # the names of stored content have no endings
            kinds = {_kind_of_file(one) for one in some[:20]}
    else:
        return None
    return kinds.pop() if len(kinds) == 1 else None


def recognised(
    batches: Iterable[pa.RecordBatch], folder: str | None, *, inside: bool = True
) -> Iterator[pa.RecordBatch]:
    """Yield the batches with their references made absolute and marked.

    Parameters
    ----------
    batches : iterable of RecordBatch
    folder : str, optional
        Where relative paths start; without it paths are words.
    inside : bool
        Whether paths must stay in the folder.

    Raises
    ------
    Refused
        If a path leaves the folder.
    """
    plans: dict[str, Plan] | None = None
    for batch in batches:
        if plans is None:
            plans = {}
            for field, column in zip(batch.schema, batch.columns, strict=True):
                plan = _plan(field, column, folder, inside)
                if plan is not None:
                    plans[field.name] = plan
        yield _applied(batch, plans) if plans else batch


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done with a column."""

    kind: MediaKind | None
    make: Callable[[Any], str | None] | None
    note: str = ""


def _plan(field: pa.Field, column: pa.Array, folder: str | None, inside: bool) -> Plan | None:
    if marks.kind(field) is not None:
        return None
    kind = plain_type(field.type)
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _content_plan([one for one in column.slice(0, 100).to_pylist() if one], lambda one: one)
    if pa.types.is_struct(kind) and {one.name for one in kind} >= {"bytes", "path"}:
        present = [one["bytes"] for one in column.slice(0, 100).to_pylist() if one and one["bytes"]]
        return _content_plan(present, lambda one: one["bytes"] if one else None)
    if not pa.types.is_string(kind):
        return None
    some = _some(column)
    if not some:
        return None
    named = [_kind_of_uri(one) if is_data_uri(one) else kind_of_name(one) for one in some]
    found = named[0] if len(set(named)) == 1 else None
    if found is None:
        return _base64_plan(some) or _mixed_plan(field.name, named, some, folder, inside)
    if folder is None or not (inside or paths_allowed()):
        return Plan(kind=found, make=lambda one: one or None) if all(map(is_data_uri, some)) else None
    return _path_plan(field.name, found, some, folder, inside)


def _mixed_plan(
    name: str, named: list[MediaKind | None], some: list[str], folder: str | None, inside: bool
) -> Plan | None:
    """Return the plan of a column of which most values name files of one kind that are there, and others do not.

    What they name instead is refused where it lies elsewhere, and counted as unreadable where it is no such file.
    """
    kinds = {one for one in named if one is not None}
    if len(kinds) != 1 or 2 * named.count(None) >= len(named) or folder is None or not (inside or paths_allowed()):
        return None
    files = [one for one, kind in zip(some, named, strict=True) if kind is not None]
    plan = _path_plan(name, kinds.pop(), files, folder, inside)
    return plan if plan.make is not None else None


def _content_plan(present: list[bytes], content: Callable[[Any], bytes | None]) -> Plan | None:
    kinds = {kind_of_content(one[:32]) for one in present}
    found = kinds.pop() if len(kinds) == 1 else None
    if found is None:
        return None

    def make(value: Any) -> str | None:
        data = content(value)
        return spill.kept(data) if data else None

    return Plan(kind=found, make=make)


def _base64_plan(some: list[str]) -> Plan | None:
    if len(some[0]) < 64:
        return None
    contents = [from_base64(one) for one in some[:5]]
    if any(one is None for one in contents):
        return None

    def make(value: Any) -> str | None:
        data = from_base64(value) if value else None
        return spill.kept(data) if data else None

    kinds = {kind_of_content(one[:32]) for one in contents if one is not None}
    return Plan(kind=kinds.pop(), make=make) if len(kinds) == 1 else None


def _path_plan(name: str, kind: MediaKind, some: list[str], folder: str, inside: bool) -> Plan:
    folder = os.path.abspath(folder)  # noqa: PTH100 - of many strings, here and below
    paths = [one for one in some if not is_data_uri(one)]
    start = next((one for one in _starts(folder) if _holds(one, paths)), None)
    if start is None and paths:
        what = {"image": "pictures", "audio": "sounds"}[kind]
        note = (
            f"The column {name!r} names files of {what}, but none of them is in {folder!r}; they are taken as words. "
            "Where they lie elsewhere: luban data import FILE --media FOLDER."
        )
        return Plan(kind=None, make=None, note=note)
    root = os.path.realpath(folder)

    def make(value: Any) -> str | None:
        if value is None or value.strip().lower() in _NOTHING:
            return None
        if is_data_uri(value):
            return str(value)
        path = os.path.normpath(os.path.join(start or folder, value))  # noqa: PTH118
        if inside and not _stays(path, root):
            raise Refused(
                f"the column {name!r} holds a path that leaves the folder of its table",
                seen=f"{value[:200]!r} leaves {folder!r}",
                remedy="Name the folder that may be read: luban data import FILE --media FOLDER "
                "(media='FOLDER' in Python).",
            )
        return path

    return Plan(kind=kind, make=make)


def _holds(folder: str, paths: list[str]) -> bool:
    return any(os.path.exists(os.path.join(folder, path)) for path in paths)  # noqa: PTH110, PTH118


def _starts(folder: str) -> Iterator[str]:
    yield folder
    try:
        inner = sorted(one.name for one in os.scandir(folder) if one.is_dir() and not one.name.startswith("."))
    except OSError:
        return
    for name in inner[:_FOLDERS]:
        yield os.path.join(folder, name)  # noqa: PTH118


def _stays(path: str, root: str) -> bool:
    parent, name = os.path.split(path)
    real = os.path.join(_real(parent), name)  # noqa: PTH118
    if os.path.islink(real):  # noqa: PTH114
        real = os.path.realpath(real)
    return real.startswith(root.rstrip(os.sep) + os.sep)


@lru_cache(maxsize=4096)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _applied(batch: pa.RecordBatch, plans: dict[str, Plan]) -> pa.RecordBatch:
    fields, columns = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        plan = plans.get(field.name)
        if plan is None:
            fields.append(field)
            columns.append(column)
            continue
        if plan.make is None:
            fields.append(marks.marked(field, note=plan.note))
            columns.append(column)
            continue
        fields.append(marks.marked(pa.field(field.name, pa.string(), metadata=field.metadata), plan.kind))
        columns.append(pa.array([plan.make(one) for one in column.to_pylist()], pa.string()))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, metadata=batch.schema.metadata))


def _some(values: pa.ChunkedArray | pa.Array) -> list[str]:
    """Return values from the start that are there, up to 1,000."""
    head = values.slice(0, _LOOKED_AT).to_pylist()
    return [one for one in head if one is not None and one.strip().lower() not in _NOTHING]


def _kind_of_uri(value: str) -> MediaKind | None:
    if not is_data_uri(value):
        return None
    head = value[5:11].lower()
    return "image" if head.startswith("image/") else "audio" if head.startswith("audio/") else None


def _kind_of_file(path: str) -> MediaKind | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - of many strings
            return kind_of_content(file.read(32))
    except OSError:
        return None
