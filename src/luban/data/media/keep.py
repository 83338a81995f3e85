"""Pictures and sounds of a data set version: their content is kept by digest, and the column holds the digests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.errors import LubanError
from luban.data.media import marks
from luban.data.media.mapping import mapped
from luban.data.media.reference import content, is_data_uri
from luban.data.media.verify import sound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.store.blobs import Blobs

WRITERS = 16
"""Threads that write: they wait for the disk, which takes many files at once more quickly than one after another."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STORED = re.compile(r"[/\\]sha256[/\\]([0-9a-f]{2})[/\\]([0-9a-f]{62})$")


def kept(blobs: Blobs, chunk: pa.Table) -> tuple[pa.Table, dict[str, dict[str, Any]]]:
    """Return the chunk with digests in place of references, and what was found broken, by column.

    A column that is broken in the main is not refused here: what follows may be whole.
    """
    broken: dict[str, dict[str, Any]] = {}
    for place, field in enumerate(chunk.schema):
        kind = marks.kind(field)
        if kind is None:
            continue
        references = chunk[field.name].to_pylist()
        if not marks.is_sound(field):
            references, broken[field.name] = sound(field.name, kind, references, refuse=False)
        distinct = list(dict.fromkeys(one for one in references if one is not None))
        digests = dict(zip(distinct, mapped(_keeper(blobs), distinct, threads=WRITERS), strict=True))
        array = pa.array([None if one is None else digests[one] for one in references], pa.string())
        chunk = chunk.set_column(place, marks.marked(pa.field(field.name, pa.string()), kind), array)
    return chunk, broken


def resolved(
    blobs: Blobs, chunk: pa.Table, kinds: Mapping[str, str], broken: Mapping[str, Any], *, fetch: bool = True
) -> pa.Table:
    """Return a stored chunk with the paths of local, verified copies in place of digests.

    Parameters
    ----------
    kinds : mapping of str to str
        The columns that hold digests.
    broken : mapping
        What could not be read when they were imported, by column.
    fetch : bool
        Whether content is fetched and verified; else nothing need be where the paths lead.
    """

    def path(digest: str) -> str:
        return str(blobs.local(digest) if fetch else blobs.path(digest))

    for place, field in enumerate(chunk.schema):
        if field.name not in kinds:
            continue
        stored = chunk[field.name].to_pylist()
        distinct = list(dict.fromkeys(one for one in stored if one is not None))
        paths = dict(zip(distinct, mapped(path, distinct), strict=True))
        array = pa.array([None if one is None else paths[one] for one in stored], pa.string())
        plain = pa.field(field.name, pa.string())
        marked = marks.marked(plain, kinds[field.name], sound=True, broken=broken.get(field.name))
        chunk = chunk.set_column(place, marked, array)
    return chunk


def _keeper(blobs: Blobs) -> Callable[[str], str]:
    def keep(reference: str) -> str:
        if is_data_uri(reference):
            return blobs.put(content(reference))
        if _DIGEST.fullmatch(reference):
            return reference
        found = _STORED.search(reference)
        if found is not None:  # it may be content of this very workspace
            digest = f"sha256:{found[1]}{found[2]}"
            try:
                if blobs.has(digest) and Path(reference).samefile(blobs.local(digest)):
                    return digest
            except (OSError, LubanError):
                return blobs.put_file(reference)
        return blobs.put_file(reference)

    return keep
