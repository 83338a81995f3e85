"""A folder of pictures or of sounds, or a zip archive of one: a folder a class, or all files in one folder."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.errors import InputError
from luban.data.labels import look_alikes
from luban.data.media import archive, marks
from luban.data.media.endings import kind_of_name
from luban.data.sources.location import is_folder, is_path, suffixes
from luban.data.sources.remote import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.data.media.endings import MediaKind

LABEL = "label"
_ROWS = 8192
_LOOKED_AT = 200
_TABLES = frozenset({".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".xlsx"})
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"})
_BESIDE = frozenset({"readme", "license", "licence", "thumbs.db", "desktop.ini", "copying", "attribution"})


@dataclass(frozen=True, kw_only=True)
class Found:
    """What lies in a folder.

    Parameters
    ----------
    files : tuple of str
        Paths of pictures and sounds from the folder on, sorted.
    tables : tuple of str
        Tables at the top.
    others : Counter
        How many other files there are, by their ending.
    """

    files: tuple[str, ...]
    tables: tuple[str, ...]
    others: Counter[str]


class MediaFolderSource:
    """Pictures or sounds in folders: a column ``image`` or ``audio``, and ``label``, the folder that each lies in.

    A folder with one table (CSV, Parquet, ...) at the top is read as that table, whose paths start from the folder.
    """

    def matches(self, location: Any) -> bool:
        """Return whether `location` is a folder of pictures or sounds, or a zip archive of one."""
        if not is_path(location) or is_url(location):
            return False
        if is_folder(location):
            return holds_media(Path(location).expanduser())
        return suffixes(location) == ".zip" and archive.holds_media(Path(location).expanduser())

    def read(self, location: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield batches of at most 8,192 rows, sorted by class and name.

        Raises
        ------
        InputError
            If the files lie in an order that says no classes, or the archive is damaged or leads out of its folder.
        """
        path = Path(location).expanduser()
        folder = path if path.is_dir() else archive.unpacked(path)
        found = _look(folder)
        if len(found.tables) == 1:
            return _as_table(folder, found, options)
        if options:
            raise InputError(f"folders of pictures or sounds have no option {min(options)!r}", remedy="Leave it out.")
        return _read(folder, str(location), found)


def holds_media(folder: Path) -> bool:
    """Return whether most files of a folder, of the first 200 met, are pictures or sounds."""
    seen = media = 0
    for one in _walk(folder):
        seen += 1
        media += kind_of_name(one) is not None
        if seen >= _LOOKED_AT:
            break
    return media > 0 and 2 * media >= seen


def _walk(folder: Path) -> Iterator[str]:
    """Yield the paths of all files from the folder on, hidden ones and those that only describe left out."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith((".", "__MACOSX")))
        inner = os.path.relpath(root, folder)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).stem.lower() not in _BESIDE and name.lower() not in _BESIDE:
                yield name if inner == "." else f"{inner}{os.sep}{name}"


def _look(folder: Path) -> Found:
    files, tables = [], []
    others: Counter[str] = Counter()
    for one in _walk(folder):
        if kind_of_name(one) is not None:
            files.append(one)
        elif os.sep not in one and Path(one).suffix.lower() in _TABLES:
            tables.append(one)
        else:
            others[Path(one).suffix.lower() or "no ending"] += 1
    return Found(files=tuple(files), tables=tuple(tables), others=others)


def _as_table(folder: Path, found: Found, options: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    from luban.data import read

    for batch in read.batches(str(folder / found.tables[0]), media=str(folder), **options):
        schema = batch.schema
        plain = [field.name for field in schema if marks.kind(field) is None]
        if len(plain) == 1 and len(schema) > 1:
            schema = marks.with_target(schema, plain[0])
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _read(folder: Path, shown: str, found: Found) -> Iterator[pa.RecordBatch]:
    kinds = Counter(kind_of_name(one) for one in found.files)
    if len(kinds) > 1:
        raise InputError(
            f"the folder {shown!r} holds pictures and sounds",
            seen=", ".join(f"{count:,} of kind {kind}" for kind, count in kinds.most_common()),
            remedy="Keep them in two folders, or list them in a CSV file with a column for each.",
        )
    kind: MediaKind = next(one for one in kinds if one is not None)
    classes = _classes(shown, found)
    schema, labels = _schema(shown, kind, found, classes)
    return _batches(folder, found.files, labels, schema)


def _schema(shown: str, kind: MediaKind, found: Found, classes: Counter[str] | None) -> tuple[pa.Schema, bool]:
    reading: dict[str, Any] = {"folder": shown, "kind": kind, "files": len(found.files)}
    if found.others:
        reading["passed over"] = dict(found.others.most_common(10))
    fields = [marks.marked(pa.field(kind, pa.string()), kind, note=_passed_over(found))]
    if classes is None:
        schema = pa.schema(fields)
    else:
        reading["classes"] = dict(classes)
        alike = "; ".join(" and ".join(map(repr, group)) for group in look_alikes(classes))
        note = f"Classes whose names differ by case or spaces only: {alike}." if alike else ""
        fields.append(marks.marked(pa.field(LABEL, pa.string()), note=note))
        schema = marks.with_target(pa.schema(fields), LABEL)
    metadata = {**(schema.metadata or {}), b"luban.reading": json.dumps(reading, ensure_ascii=False).encode()}
    return schema.with_metadata(metadata), classes is not None


def _batches(folder: Path, files: tuple[str, ...], labels: bool, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    root = os.path.abspath(folder)  # noqa: PTH100 - as it is, symbolic links and all
    for start in range(0, len(files), _ROWS):
        part = files[start : start + _ROWS]
        columns = [pa.array([os.path.join(root, one) for one in part], pa.string())]  # noqa: PTH118 - of many strings
        if labels:
            columns.append(pa.array([one.split(os.sep, 1)[0] for one in part], pa.string()))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _classes(shown: str, found: Found) -> Counter[str] | None:
    """Return how many files each class has, None where all files lie in one folder."""
    depths = Counter(one.count(os.sep) for one in found.files)
    if set(depths) == {0}:
        return None
    tops = Counter(one.split(os.sep, 1)[0] for one in found.files if os.sep in one)
    if set(depths) == {1}:
        return tops
    splits = sorted(name for name in tops if name.lower() in _SPLITS)
    if splits and 0 not in depths:
        raise InputError(
            f"the folder {shown!r} holds several sets, each with folders of its own",
            seen=", ".join(f"{name} ({tops[name]:,} files)" for name in sorted(tops)),
            remedy=_one_of(shown, splits),
        )
    places = ", ".join(
        f"{count:,} files {'at the top' if depth == 0 else f'{depth} folders deep'}"
        for depth, count in sorted(depths.items())
    )
    raise InputError(
        f"the folder {shown!r} says no classes: its files lie at different depths, or too deep",
        seen=f"{places}, such as {found.files[0]!r} and {max(found.files, key=lambda one: one.count(os.sep))!r}",
        remedy="Put the files of each class in a folder of its own (FOLDER/CLASS/FILE), or all in one folder, or list "
        "them in a CSV file with a column of paths.",
    )


def _one_of(shown: str, splits: list[str]) -> str:
    name = next((one for one in splits if one.lower().startswith("train")), splits[0])
    if shown.lower().endswith(".zip"):
        return f"Unpack the archive and give the path of one of them: FOLDER/{name}"
    return f"Give the path of one of them: {Path(shown) / name}"


def _passed_over(found: Found) -> str:
    if not found.others:
        return ""
    shown = ", ".join(f"{count} x {ending}" for ending, count in found.others.most_common(3))
    return f"Files that are neither pictures nor sounds are passed over: {shown}."
