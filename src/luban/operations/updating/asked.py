"""Pictures and sounds that were asked, as files to learn from: those whose content the prediction log keeps."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from luban.core.schema import Column
    from luban.store import Workspace


def folder(workspace: Workspace, name: str) -> Path:
    """Return where an update of this name has copies of what is stored on another machine."""
    return workspace.root / "cache" / "asked" / name


@contextmanager
def copied(copies: Path) -> Iterator[None]:
    """Leave no copy behind; those that a killed update left are removed at the beginning."""
    shutil.rmtree(copies, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def referred(
    workspace: Workspace, columns: Sequence[Column], log: pa.Table, copies: Path
) -> tuple[pa.Table, dict[str, str], tuple[str, ...]]:
    """Return rows of the log with paths in place of digests, the kind by digest, and in words what was left out.

    Rows that name a picture or a sound that the log does not keep are left out. No content is read: the paths lead to
    it after `fetched`.
    """
    import pyarrow as pa

    from luban.data.media import marks
    from luban.data.media.endings import KINDS

    names = {f"input.{column.name}": column.kind for column in columns if column.kind in KINDS}
    values = {name: log[name].to_pylist() for name in names if name in log.column_names}
    kinds = {digest: names[name] for name, found in values.items() for digest in found if digest is not None}
    if not kinds:
        return log, {}, ()
    kept = {None, *workspace.predictions.media.kept(kinds)}
    whole = [all(one in kept for one in row) for row in zip(*values.values(), strict=True)]
    table = log.filter(pa.array(whole))
    place = workspace.predictions.media.at(copies)
    for name, found in values.items():
        staying = [one for one, stays in zip(found, whole, strict=True) if stays]
        paths = [None if one is None else str(place.path(one)) for one in staying]
        field = marks.marked(pa.field(name, pa.string()), names[name], sound=True)
        table = table.set_column(table.column_names.index(name), field, pa.array(paths, pa.string()))
    lost = len(whole) - sum(whole)
    notes = (f"{lost:,} labelled rows are left out: the log does not keep the files that they name.",) if lost else ()
    return table, {digest: kind for digest, kind in kinds.items() if digest in kept}, notes


def fetched(workspace: Workspace, kinds: Mapping[str, str], copies: Path) -> dict[str, str]:
    """Bring the content to where `referred` says it is, verified, and return why files cannot be read, by path.

    Raises
    ------
    NotFound
        If content was erased meanwhile.
    """
    from luban.data.media.mapping import mapped
    from luban.data.media.verify import examined

    place = workspace.predictions.media.at(copies)
    broken: dict[str, str] = {}
    for kind in sorted(set(kinds.values())):
        digests = [digest for digest, one in kinds.items() if one == kind]
        paths = [str(path) for path in mapped(place.local, digests)]
        broken |= {path: why for path, why in examined(kind, paths).items() if why}
    return broken
