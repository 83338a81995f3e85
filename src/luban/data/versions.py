"""Versions of a data set: rows in chunks that are blobs, and a manifest that lists them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.errors import InputError, NotFound
from luban.core.progress import Progress, tell
from luban.data import read
from luban.data.chunks import as_parquet, chunk_of, plain_schema, plain_table, regular
from luban.data.infer import SAMPLE, infer
from luban.data.media import marks
from luban.data.media.endings import KINDS
from luban.data.media.keep import kept, resolved
from luban.data.media.verify import MOST_LISTED, most_are_broken, told
from luban.data.sources.location import is_path
from luban.data.sources.remote import without_password

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from luban.core.dataset import Dataset
    from luban.core.recipe import Recipe
    from luban.core.schema import Column, Schema
    from luban.store import Workspace

FORMAT = "luban-table/1"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A data set version, in words what was decided when it was read, and how many bad rows were left out."""

    dataset: Dataset
    notes: tuple[str, ...]
    skipped: int = 0


def import_data(
    workspace: Workspace,
    location: Any,
    *,
    name: str | None = None,
    time: str | None = None,
    group: str | None = None,
    key: str | None = None,
    source: str = "",
    **options: Any,
) -> Dataset:
    """Store the rows of `location` as a version of a data set; memory does not grow with the rows.

    Equal rows give an equal fingerprint, and the version that has it already is returned.

    Parameters
    ----------
    workspace : Workspace
    location : str, path or object
        As `read.batches` takes it.
    name : str, optional
        Of the data set; by default made from the file's name.
    time, group, key : str, optional
        Columns with a special part.
    source : str
        Where the rows come from, in words; by default the location.
    **options
        As `read.batches` takes them.
    """
    return import_with_notes(
        workspace, location, name=name, time=time, group=group, key=key, source=source, **options
    ).dataset


def import_with_notes(
    workspace: Workspace,
    location: Any,
    *,
    name: str | None = None,
    time: str | None = None,
    group: str | None = None,
    key: str | None = None,
    source: str = "",
    **options: Any,
) -> Imported:
    """Do what `import_data` does and return the notes as well."""
    name = name or name_of(location)
    special = [one for one in (time, group, key) if one is not None]
    written = write(workspace, _having(special, read.batches(location, **options)))
    if not written.rows:
        raise InputError(
            "the table has no rows", seen=f"columns {', '.join(written.arrow.names[:8])}", remedy="Give rows."
        )
    inferred = infer(written.sample, time=time, group=group, key=key, rows=written.rows)
    schema, notes = _verified(workspace, written, inferred.schema)
    notes = [*_left_out(written), *notes]
    words = source or (str(location) if is_path(location) else type(location).__name__)
    manifest = {**written.manifest, "roles": {"time": time, "group": group, "key": key}}
    dataset = workspace.datasets.add(
        name=name, schema=schema, manifest=manifest, rows=written.rows, source=without_password(words)
    )
    skipped = written.reading.get("skipped", 0)
    if skipped:
        rows = "1 row was" if skipped == 1 else f"{skipped:,} rows were"
        notes.insert(0, f"{rows} left out: too few or too many cells.")
    return Imported(dataset=dataset, notes=(*notes, *inferred.notes), skipped=skipped)


def add_version(
    workspace: Workspace,
    batches: Iterable[pa.RecordBatch],
    *,
    name: str,
    schema: Schema,
    parents: Sequence[str] = (),
    recipe: Recipe | None = None,
    source: str = "",
) -> Dataset:
    """Store rows whose schema is known as a new version, made from its parents by a recipe."""
    written = write(workspace, (_as_in(schema, batch) for batch in batches))
    roles = {"time": schema.time, "group": schema.group, "key": schema.key}
    return workspace.datasets.add(
        name=name,
        schema=schema,
        manifest={**written.manifest, "roles": roles},
        rows=written.rows,
        parents=tuple(parents),
        recipe=recipe,
        source=source,
    )


def table(
    workspace: Workspace, dataset: Dataset | str, *, columns: Sequence[str] | None = None, fetch: bool = True
) -> pa.Table:
    """Return all rows of a version, of these columns only where they are given; `fetch` as in `batches`."""
    return pa.Table.from_batches(list(batches(workspace, dataset, columns=columns, fetch=fetch)))


def batches(
    workspace: Workspace, dataset: Dataset | str, *, columns: Sequence[str] | None = None, fetch: bool = True
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a version chunk by chunk; each chunk is verified against its digest.

    Columns of pictures and sounds hold the paths of their verified content; without `fetch` of content that need not be
    there, for whoever looks at the digests in the paths alone.

    Raises
    ------
    NotFound
        If there is no such version.
    Tampered
        If a chunk's content does not match its digest.
    """
    if isinstance(dataset, str):
        dataset = workspace.datasets.get(dataset)
    manifest = workspace.datasets.manifest(dataset)
    kinds = {one.name: one.kind for one in dataset.schema.columns if one.kind in KINDS}
    targets = [one.name for one in dataset.schema.columns if one.role == "target"]
    for chunk in manifest["chunks"]:
        found = chunk_of(workspace, chunk["digest"], columns)
        if kinds:
            found = resolved(workspace.blobs, found, kinds, manifest.get("broken", {}), fetch=fetch)
        if targets:
            found = found.replace_schema_metadata(marks.with_target(found.schema, targets[0]).metadata)
        yield from found.to_batches()


def name_of(location: Any) -> str:
    """Return a name for a data set from the name of its file."""
    if not is_path(location):
        return "table"
    last = re.split(r"[/\\]", str(location).rstrip("/\\"))[-1].split("?")[0]
    stem = re.sub(r"(\.\w{1,8}){1,2}$", "", last) or last
    return re.sub(r"[^\w.-]+", "_", stem).strip("._-") or "table"


@dataclass(frozen=True, kw_only=True)
class Written:
    """Rows that were stored as chunks: the manifest of them, a sample, and which columns hold missing values."""

    manifest: Mapping[str, Any]
    rows: int
    arrow: pa.Schema
    sample: pa.Table
    nullable: frozenset[str]
    reading: Mapping[str, Any]
    broken: Mapping[str, Mapping[str, Any]]


def write(workspace: Workspace, incoming: Iterable[pa.RecordBatch]) -> Written:
    """Store rows as Parquet blobs of a fixed number of rows, whatever the sizes of the batches they come in."""
    chunks: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    broken: dict[str, dict[str, Any]] = {}
    present: Counter[str] = Counter()
    nullable: set[str] = set()
    sample = _Sample()
    arrow: pa.Schema | None = None
    choices: Mapping[str, Any] = {}
    rows = 0
    for chunk in regular(incoming):
        if arrow is None:
            choices = read.reading(chunk.schema)
            arrow = plain_schema(chunk.schema)
            known = {one.name: dict(marks.broken(one)) for one in arrow if marks.is_sound(one)}
        chunk = plain_table(chunk, arrow)  # noqa: PLW2901
        if not chunk.num_rows:
            continue
        for name in _media(arrow):
            present[name] += len(chunk) - chunk[name].null_count
        chunk, bad = kept(workspace.blobs, chunk)  # noqa: PLW2901
        _add(broken, bad)
        nullable.update(name for name in arrow.names if chunk[name].null_count)
        sample.add(chunk)
        chunks.append({"digest": workspace.blobs.put(as_parquet(chunk)), "rows": chunk.num_rows})
        rows += chunk.num_rows
        tell(Progress(stage="import", message=f"{rows:,} rows"))
    if arrow is None:
        raise InputError("the source gave no rows", remedy="Check what it was asked to read.")
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "columns": list(map(_described, arrow)),
        "chunks": chunks,
        "rows": rows,
    }
    for name, kind in _media(arrow).items():
        bad_ones = broken.get(name, _NONE)
        if 2 * bad_ones["count"] > present[name]:
            raise most_are_broken(name, kind, bad_ones["count"], present[name], bad_ones)
    told_of = {name: one for name, one in {**known, **broken}.items() if one["count"]}
    if told_of:
        manifest["broken"] = told_of
    return Written(
        manifest=manifest,
        rows=rows,
        arrow=arrow,
        sample=sample.table(arrow),
        nullable=frozenset(nullable),
        reading=choices,
        broken=broken,
    )


_NONE: Mapping[str, Any] = {"count": 0, "files": []}


def _media(schema: pa.Schema) -> dict[str, str]:
    """Return the columns of pictures and sounds, each with its kind."""
    return {field.name: kind for field in schema if (kind := marks.kind(field)) is not None}


def _described(field: pa.Field) -> dict[str, str]:
    kind = marks.kind(field)
    return {"name": field.name, "type": str(field.type)} | ({} if kind is None else {"kind": kind})


def _as_in(schema: Schema, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose columns of pictures and sounds are marked, whatever made it."""
    kinds = {one.name: one.kind for one in schema.columns if one.kind in KINDS}
    if all(marks.kind(field) is not None for field in batch.schema if field.name in kinds):
        return batch
    fields = [marks.marked(field, kinds.get(field.name)) for field in batch.schema]
    return pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields, metadata=batch.schema.metadata))


def _add(broken: dict[str, dict[str, Any]], more: Mapping[str, Mapping[str, Any]]) -> None:
    for name, one in more.items():
        known = broken.setdefault(name, {"count": 0, "files": []})
        known["count"] += one["count"]
        known["files"] = [*known["files"], *one["files"]][:MOST_LISTED]


def _left_out(written: Written) -> list[str]:
    return [
        told(name, kind, written.broken[name])
        for name, kind in _media(written.arrow).items()
        if name in written.broken and written.broken[name]["count"]
    ]


class _Sample:
    """Rows spread evenly over all that came, at most twice `SAMPLE` of them at any moment."""

    def __init__(self) -> None:
        self.parts: list[pa.Table] = []
        self.stride = 1
        self.held = 0
        self.seen = 0

    def add(self, chunk: pa.Table) -> None:
        self.parts.append(self._thin(chunk, self.seen))
        self.seen += chunk.num_rows
        self.held += self.parts[-1].num_rows
        if self.held > SAMPLE:
            self.stride *= 2
            whole = pa.concat_tables(self.parts)
            self.parts = [whole.take(pa.array(range(0, whole.num_rows, 2)))]
            self.held = self.parts[0].num_rows

    def _thin(self, chunk: pa.Table, start: int) -> pa.Table:
        if self.stride == 1:
            return chunk
        return chunk.take(pa.array(range(-start % self.stride, chunk.num_rows, self.stride)))

    def table(self, schema: pa.Schema) -> pa.Table:
        if not self.parts:
            return schema.empty_table()
        return pa.Table.from_arrays(pa.concat_tables(self.parts).columns, schema=schema)


def _verified(workspace: Workspace, written: Written, schema: Schema) -> tuple[Schema, list[str]]:
    """Return the schema held against all rows, where it was inferred from a sample of them."""
    from luban.data.conform import conform

    columns = [
        replace(column, nullable=column.nullable or column.name in written.nullable) for column in schema.columns
    ]
    notes: list[str] = []
    if written.sample.num_rows < written.rows:
        notes.append(f"Kinds of columns were inferred from {written.sample.num_rows:,} of {written.rows:,} rows.")
        doubtful = [place for place, column in enumerate(columns) if _parsed(column)]
        for chunk in written.manifest["chunks"]:
            for place in list(doubtful):
                part = chunk_of(workspace, chunk["digest"], [columns[place].name])
                try:
                    conform(part, [columns[place]], infinities="missing")
                except InputError as error:
                    doubtful.remove(place)
                    notes.append(f"The column {columns[place].name!r} is text after all: {error.seen}.")
                    columns[place] = replace(columns[place], kind="category", storage="string")
    return replace(schema, columns=tuple(columns)), notes


def _parsed(column: Column) -> bool:
    return column.storage.split(" ")[0] == "string" and column.kind in {"number", "date", "boolean"}


def _having(names: Sequence[str], incoming: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches, once it is known that they have these columns: nothing is kept of a table that lacks one."""
    for batch in incoming:
        for name in names:
            if name not in batch.schema.names:
                raise NotFound.named("column", name, batch.schema.names)
        yield batch
