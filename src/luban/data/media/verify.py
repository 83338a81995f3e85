"""Whether the files behind a column can be read to their end; those that cannot become missing and are named.

Files are read by the modality of their kind. More than a few are read in worker processes: they use all processors,
and a file that crashes a decoder takes a worker with it, not the import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from luban.core import plugins
from luban.core.errors import InputError, LubanError
from luban.core.progress import Progress, tell
from luban.core.protocols import DIED, Examining, Job
from luban.data.media import marks
from luban.data.media.mapping import mapped
from luban.data.media.reference import content, is_data_uri, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FEW = 256
PORTION = 128
MOST_LISTED = 100
LOOK = f"{__name__}:look"
WORDS = {"image": "pictures", "audio": "sounds"}


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A table whose pictures and sounds can all be read.

    Parameters
    ----------
    table : pyarrow.Table
        Broken ones are null; its fields are marked, see `luban.data.media.marks`.
    notes : tuple of str
        What was left out.
    """

    table: pa.Table
    notes: tuple[str, ...] = ()


def verified(table: pa.Table) -> Verified:
    """Read the files of all columns that are marked and were not read before.

    Raises
    ------
    InputError
        If more than half of a column's files cannot be read.
    """
    notes = []
    for place, field in enumerate(table.schema):
        kind = marks.kind(field)
        if kind is None or marks.is_sound(field):
            continue
        values, broken = sound(field.name, kind, table[field.name].to_pylist())
        if broken["count"]:
            notes.append(told(field.name, kind, broken))
        array = pa.array(values, pa.string())
        table = table.set_column(place, marks.marked(field, sound=True, broken=broken), array)
    return Verified(table=table, notes=tuple(notes))


def sound(
    name: str, kind: str, references: Sequence[str | None], *, refuse: bool = True
) -> tuple[list[str | None], dict[str, Any]]:
    """Return the references with None for those that cannot be read, and what is broken, as `marks.broken` tells it.

    Raises
    ------
    InputError
        If more than half cannot be read, unless `refuse` is False.
    """
    present = list(dict.fromkeys(one for one in references if one is not None))
    why = examined(kind, present)
    values = [None if one is None or why.get(one) else one for one in references]
    bad = sum(1 for one in references if one is not None and why.get(one))
    whole = sum(1 for one in references if one is not None)
    listed = [{"name": _name(one), "why": reason} for one, reason in why.items()]
    broken = {"count": bad, "files": listed[:MOST_LISTED]}
    if refuse and 2 * bad > whole:
        raise most_are_broken(name, kind, bad, whole, broken)
    return values, broken


def most_are_broken(name: str, kind: str, bad: int, whole: int, broken: Mapping[str, Any]) -> InputError:
    """Return the error for a column of which too little is left."""
    some = "; ".join(f"{one['name']}: {one['why']}" for one in broken["files"][:3])
    what = f"{'all' if bad == whole else 'most'} of the {WORDS[kind]}" if whole > 1 else f"the {WORDS[kind][:-1]}"
    return InputError(
        f"{what} of {name!r} cannot be read",
        seen=f"{bad:,} of {whole:,}: {some}" if whole > 1 else some,
        remedy="Give whole files of a known format; paths start from the folder of their table.",
    )


def told(name: str, kind: str, broken: Mapping[str, Any]) -> str:
    """Return in words what is broken."""
    some = "; ".join(f"{one['name']}: {one['why']}" for one in broken["files"][:3])
    more = f"; and {broken['count'] - 3:,} more" if broken["count"] > 3 else ""
    count = broken["count"]
    words = WORDS[kind] if count != 1 else WORDS[kind][:-1]
    return f"{count:,} {words} of {name!r} cannot be read and {'are' if count != 1 else 'is'} left out ({some}{more})."


def examined(kind: str, references: Sequence[str]) -> dict[str, str]:
    """Return why files cannot be read, by reference, for those that cannot."""
    if len(references) <= FEW:
        return _look(kind, references)
    inside = [one for one in references if is_data_uri(one)]
    files = [one for one in references if not is_data_uri(one)]
    found = _look(kind, inside)
    if files:
        found.update(_by_workers(kind, files))
    return {one: found[one] for one in references if one in found}


def look(report: Callable[[Any], bool], kind: str, references: Sequence[str]) -> dict[str, str]:
    """Do what `examined` does, in a worker process."""
    del report
    return _look(kind, references)


def _look(kind: str, references: Sequence[str]) -> dict[str, str]:
    if not references:
        return {}
    modality = cast("Examining", plugins.create("modalities", kind))

    def why(reference: str) -> str:
        try:
            if not is_data_uri(reference) and not os.path.isfile(reference):  # noqa: PTH113 - of many strings
                return "there is no such file"
            modality.examine(content(reference))
        except LubanError as error:
            return error.seen or error.happened
        return ""

    reasons = mapped(why, references)
    return {one: reason for one, reason in zip(references, reasons, strict=True) if reason}


def _by_workers(kind: str, references: Sequence[str]) -> dict[str, str]:
    from luban.execution.local import LocalExecutor

    plugins.create("modalities", kind)  # a package that is missing is said here, not in a worker
    executor = LocalExecutor.of_this_machine()
    found: dict[str, str] = {}
    try:
        waiting: dict[int, list[str]] = {}

        def submit(part: list[str]) -> None:
            job = Job(function=LOOK, arguments={"kind": kind, "references": part})
            waiting[executor.submit(job)] = part

        for start in range(0, len(references), PORTION):
            submit(list(references[start : start + PORTION]))
        done = 0
        while waiting:
            for event in executor.events():
                part = waiting.pop(event.job, None) if event.kind in {"finished", "failed", "killed"} else None
                if part is None:
                    continue
                if event.kind == "finished":
                    found.update(event.value)
                elif event.kind == "failed" and event.value["type"] != DIED:
                    raise RuntimeError(f"a worker could not look at files: {event.value['error']}")
                elif len(part) == 1:
                    found[part[0]] = "the decoder crashed"
                else:  # one of them crashes the decoder: find out which
                    middle = len(part) // 2
                    submit(part[:middle])
                    submit(part[middle:])
                    continue
                done += len(part)
                tell(
                    Progress(
                        stage="examine", message=f"{done:,} of {len(references):,} files", done=done / len(references)
                    )
                )
    finally:
        executor.close()
    return found


def _name(reference: str) -> str:
    return shown(reference) if is_data_uri(reference) else reference[-160:]
