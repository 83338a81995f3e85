"""A folder of tabular files of one kind, read as one table in the order of their names."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from luban.core import plugins
from luban.core.errors import InputError, MissingExtra
from luban.data.sources.location import is_folder, suffixes
from luban.data.sources.media_folder import holds_media
from luban.data.sources.unify import agreed, fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.core.protocols import Source


class FolderSource:
    """Files of the same columns and the same ending; other files are left out only where they are hidden."""

    def matches(self, location: Any) -> bool:
        """Return whether `location` is a folder, unless it holds pictures or sounds, which another source reads."""
        return is_folder(location) and not holds_media(Path(location).expanduser())

    def read(self, location: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows of all files; the options go to the source of each.

        Raises
        ------
        InputError
            If the folder holds no table, files of several kinds, or tables with different columns.
        """
        files = sorted(one for one in Path(location).expanduser().rglob("*") if one.is_file() and _plain(one))
        if not files:
            raise InputError(
                f"the folder {str(location)!r} has no files",
                remedy="Give a folder of CSV or Parquet files, or one with a folder of pictures or sounds a class.",
            )
        source = _source(files[0])
        endings = Counter(suffixes(one) for one in files)
        if source is None or len(endings) > 1:
            kinds = ", ".join(f"{times} x {ending or 'no ending'}" for ending, times in endings.most_common(5))
            raise InputError(
                f"the folder {str(location)!r} is not one table",
                seen=kinds,
                remedy="Keep tabular files of one kind in it.",
            )
        return _read(files, source, options)


def _plain(path: Path) -> bool:
    return not path.name.startswith((".", "_")) and path.name.lower() not in {"readme", "readme.md", "readme.txt"}


def _source(path: Path) -> Source | None:
    for name in plugins.names("sources"):
        try:
            source = cast("Source", plugins.create("sources", name))
        except MissingExtra:
            continue
        if source.matches(str(path)):
            return source
    return None


def _read(files: list[Path], source: Source, options: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    schema: pa.Schema | None = None
    skipped = 0
    for path in files:
        found = next(iter(source.read(str(path), **options))).schema
        if schema is not None and set(found.names) != set(schema.names):
            differ = sorted(set(found.names) ^ set(schema.names))
            raise InputError(
                f"the files {files[0].name!r} and {path.name!r} have different columns",
                seen=f"only in one of them: {', '.join(map(repr, differ[:5]))}",
                remedy="Give files of the same columns.",
            )
        schema = agreed(schema, found)
        skipped += json.loads((found.metadata or {}).get(b"luban.reading", b"{}")).get("skipped", 0)
    schema = cast("pa.Schema", schema).with_metadata({"luban.reading": json.dumps({"skipped": skipped})})
    for path in files:
        for batch in source.read(str(path), **options):
            yield from fit(pa.Table.from_batches([batch]), schema).to_batches()
