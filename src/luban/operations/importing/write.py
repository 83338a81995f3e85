"""Foreign runs become runs of the workspace: always the same ones, however often they are imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.run import Run
from luban.core.serial import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from luban.operations.importing.foreign import ForeignRun
    from luban.store import Workspace

MARK = "luban.imported"
"""The tag that says where a run comes from, and what was in it then; it is written last."""


@dataclass
class Count:
    """What became of the runs and of the registered models."""

    new: int = 0
    changed: int = 0
    same: int = 0
    values: int = 0
    files: int = 0
    models: int = 0
    versions: int = 0
    aliases: int = 0


def write(workspace: Workspace, runs: Iterable[ForeignRun], source: str, count: Count) -> list[str]:
    """Write foreign runs that are new or have changed, count them, and return what was left out."""
    notes: list[str] = []
    ids: dict[str, str] = {}
    experiments: dict[str, int] = {}
    for run in _parents_first(runs):
        if run.experiment not in experiments:
            experiments[run.experiment] = workspace.experiments.find(run.experiment).id
        ids[run.id] = _id(run)
        notes += _one(workspace, run, ids, experiments[run.experiment], source, count)
    return notes


def _id(run: ForeignRun) -> str:
    from luban.store.clock import run_id_of

    return run_id_of(run.started, run.id)


def _one(
    workspace: Workspace, run: ForeignRun, ids: dict[str, str], experiment: int, source: str, count: Count
) -> list[str]:
    files, notes = _files(run)
    mark = {"from": "mlflow", "run": run.id, "source": source, "content": _content(run, files)}
    before = _mark_of(workspace, ids[run.id])
    if isinstance(before, dict) and before.get("content") == mark["content"]:
        count.same += 1
        return notes
    count.changed += before is not None
    count.new += before is None
    ours = Run(
        id=ids[run.id],
        operation=run.operation,
        request={},
        state=run.state,
        started=run.started,
        ended=run.ended,
        parent=ids.get(run.parent or ""),
        actor=run.actor,
        name=run.name,
        experiment=experiment,
        deleted=(run.ended or run.started) if run.deleted else None,
    )
    told = {"rows": run.metrics, "params": run.params}
    if not files:
        workspace.runs.put(ours, tags={**run.tags, MARK: mark}, **told)  # type: ignore[arg-type]
    else:
        workspace.runs.put(ours, tags=run.tags, **told)  # type: ignore[arg-type]
        assert run.artefacts is not None
        workspace.artifacts.put_folder(ours.id, "", run.artefacts)
        workspace.runs.set_tag(ours.id, MARK, mark)
    count.values += len(run.metrics)
    count.files += len(files)
    return notes


def _mark_of(workspace: Workspace, run: str) -> object:
    return workspace.runs.tags_of([run])[run].get(MARK)


def _files(run: ForeignRun) -> tuple[list[tuple[str, int, int]], list[str]]:
    """Return (path, bytes, nanoseconds of its last change) of each file, and a note where some cannot be taken."""
    from luban.store.artifacts import files_of, valid_path

    if run.unread is not None:
        return [], [f"The files of {run.id} are at {run.unread} and were left out; --artefacts names their folder."]
    if run.artefacts is None:
        return [], []
    try:
        found = files_of(run.artefacts)
        for name, _ in found:
            valid_path(name)
    except InputError as error:
        return [], [f"The files of {run.id} were left out: {error}"]
    return [(name, file.stat().st_size, file.stat().st_mtime_ns) for name, file in found], []


def _content(run: ForeignRun, files: list[tuple[str, int, int]]) -> str:
    from luban.store.digests import canonical_json, digest_of

    metrics = [(name, step, repr(value), _plain(moment)) for name, step, value, moment in run.metrics]
    told = (run.name, run.state, run.ended, run.deleted, run.parent, run.params, run.tags, metrics, files)
    return digest_of(canonical_json(to_json(told)))


def _plain(moment: datetime) -> str:
    return moment.isoformat()


def _parents_first(runs: Iterable[ForeignRun]) -> Iterator[ForeignRun]:
    waiting: dict[str, list[ForeignRun]] = {}
    found = list(runs)
    known = {run.id for run in found}
    ready = [run for run in found if run.parent not in known]
    for run in found:
        if run.parent in known:
            waiting.setdefault(str(run.parent), []).append(run)
    done: set[str] = set()
    while ready:
        run = ready.pop(0)
        done.add(run.id)
        yield run
        ready += waiting.pop(run.id, [])
    left = [run for those in waiting.values() for run in those if run.id not in done]
    if left:
        raise InputError("runs of the store are each other's parents", seen=", ".join(run.id for run in left[:3]))
