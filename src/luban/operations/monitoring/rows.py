"""The rows of a window: of the prediction log, or of a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from luban.core.model import Deployment, ModelVersion
    from luban.core.report import Report
    from luban.monitoring.quality import Labelled
    from luban.operations.monitoring.remembered import Remembered
    from luban.store import Workspace

LAST = 1000
"""Rows of a window, where nothing else is said."""

HISTORY = 100_000
"""The newest rows whose labels the streaming detectors look at, and those of the window; fewer of wide answers."""

_CELLS = 20_000_000  # numbers in their answers
_WORDS = 50  # of a row, about

FEWEST = 30
"""Rows below which there is nothing to say."""


def of_log(
    workspace: Workspace,
    name: str,
    _data: Any = None,
    *,
    window: float | None = None,
    last: int | None = None,
    against: str = "baseline",
    remembered: Remembered | None = None,
    seed: int = 0,
) -> tuple[str, str, Report]:
    """Return (subject, model, report) of the newest rows of a deployment's prediction log."""
    from luban.monitoring.window import report
    from luban.operations.monitoring.baselines import baseline_of, baseline_of_window
    from luban.operations.monitoring.embedded import beside

    deployment = _deployment(workspace, name)
    version = workspace.models.get(deployment.champion)
    chosen, before = _cut(_answered(workspace, deployment, window, last), window, last)
    counts = counted(workspace, deployment.name, window=window, last=last)
    if chosen.num_rows < FEWEST and counts["failed"] + counts["answered"] >= FEWEST:
        return deployment.name, version.reference, _unread(deployment, chosen, counts)
    if chosen.num_rows < FEWEST:
        raise InputError(
            f"the window of {name!r} has too few rows to say anything",
            seen=f"{chosen.num_rows} rows of {workspace.predictions.count(name)} in the prediction log",
            remedy="Take a longer --window or a larger --last, or wait."
            if workspace.predictions.count(name)
            else "Send requests to the server first: luban serve; predictions are stored within a second.",
        )
    if against == "previous":
        if before.num_rows < FEWEST:
            raise InputError(
                "there is no window before this one to compare with",
                seen=f"{before.num_rows} rows before it",
                remedy="Take a shorter one, or --against baseline.",
            )
        past: pa.Table | None = _inputs(version, before)
        base = baseline_of_window(workspace, version, past, _outputs(version, before), before)
    else:
        past = None
        base = baseline_of(workspace, version, seed=seed)
    found = _window(workspace, deployment, version, chosen)
    both = beside(workspace, version, base, found.inputs, before=past, logged=True, remembered=remembered, seed=seed)
    made = report(
        version.task,
        version.signature.inputs,
        both.base,
        replace(found, embedded=both.vectors, counts=counts, notes=(*both.notes, *found.notes)),
        subject=deployment.name,
        detectors=_detectors(),
        threshold=threshold_of(workspace, version),
        seed=seed,
    )
    return deployment.name, version.reference, made


def counted(workspace: Workspace, name: str, *, window: float | None = None, last: int | None = None) -> Counter[str]:
    """Return how the requests of a time back from now ended, or the newest so many, of whole minutes, by outcome.

    Those of the newest rows of the log would say nothing of a time in which nothing was answered.
    """
    from luban.store.clock import now

    since = None if window is None else now() - timedelta(seconds=window)
    found: Counter[str] = Counter()
    for minute in workspace.outcomes.read(name, since):
        if window is None and found["answered"] + found["failed"] >= (last or LAST):
            break
        found.update(minute.counts)
    return found


def _unread(deployment: Deployment, chosen: pa.Table, counts: Counter[str]) -> Report:
    import pyarrow.compute as pc

    from luban.monitoring.window import unread

    moments = pc.min_max(chosen["moment"]).as_py() if chosen.num_rows else {"min": None, "max": None}
    since, until = (None if one is None else one.isoformat() for one in (moments["min"], moments["max"]))
    return unread(chosen.num_rows, counts, subject=deployment.name, since=since, until=until)


def of_data(
    workspace: Workspace, name: str, data: Any, *, last: int | None = None, seed: int = 0, **_: Any
) -> tuple[str, str, Report]:
    """Return (subject, model, report) of rows of a file, which the model predicts first."""
    from luban.data.conform import conform
    from luban.learners.logged import shortened
    from luban.monitoring.outputs import answers
    from luban.monitoring.window import Window, report
    from luban.operations.loading import runtime
    from luban.operations.monitoring.baselines import baseline_of
    from luban.operations.monitoring.embedded import beside
    from luban.operations.reading import read_table

    version = _model(workspace, name)
    table = read_table(workspace, data)
    table = table.slice(max(0, table.num_rows - last)) if last else table
    if not table.num_rows:
        raise InputError("the data has no rows")
    columns = version.signature.inputs
    gone = [column.name for column in columns if column.name not in table.column_names]
    if len(gone) == len(columns):
        raise InputError(
            f"the data has none of the columns of {version.reference}", seen=", ".join(table.column_names[:12])
        )
    conformed = conform(table, columns, missing="fill", infinities="missing")
    ready = runtime(workspace, version.reference)
    prediction = ready.values(conformed.table)
    truth: Labelled | None = None
    task = version.task
    outputs = answers(task, prediction, ready.threshold)
    if task.target in table.column_names:
        truth = _labelled_rows(task, table, conformed.table, shortened(task, prediction))
    inputs = conformed.table.drop_columns(gone) if gone else conformed.table
    both = beside(workspace, version, baseline_of(workspace, version, seed=seed), inputs, seed=seed)
    window = Window(
        inputs=inputs,
        outputs=outputs,
        labelled=truth,
        history=None,
        embedded=both.vectors,
        notes=(*both.notes, *(note for note in conformed.notes if "taken as missing" in note and not gone)),
    )
    made = report(
        task,
        columns,
        both.base,
        window,
        subject=version.reference,
        threshold=ready.threshold,
        seed=seed,
    )
    return version.reference, version.reference, made


def _labelled_rows(task: Any, table: pa.Table, inputs: pa.Table, prediction: Any) -> Labelled | None:
    import numpy as np
    import pyarrow as pa

    from luban.data.target import labelled_rows
    from luban.monitoring.quality import Labelled

    try:
        texts = inputs[task.inputs[0]] if task.kind == "tokens" else None
        rows, target = labelled_rows(task, table[task.target], texts)
    except InputError:  # a column of that name without one usable value is no truth
        return None
    return Labelled(
        inputs=inputs.take(pa.array(rows)),
        prediction=prediction[rows],
        target=target,
        moments=np.zeros(len(rows), dtype="datetime64[us]"),
    )


def _deployment(workspace: Workspace, name: str) -> Deployment:
    try:
        return workspace.deployments.get(name)
    except NotFound as error:
        known = {one.name for one in workspace.models.list()}
        if name.partition("/")[0].partition("@")[0] not in known:
            raise
        raise NotFound(
            f"no deployment is named {name!r}, but a model is",
            remedy=f"Compare rows of a file with what it learnt from: luban monitor {name} FILE. "
            f"Or deploy it first: luban deploy {name}.",
        ) from error


def _model(workspace: Workspace, name: str) -> ModelVersion:
    try:
        return workspace.models.get(name)
    except NotFound:
        for deployment in workspace.deployments.list():
            if deployment.name == name:
                return workspace.models.get(deployment.champion)
        raise


def _answered(workspace: Workspace, deployment: Deployment, window: float | None, last: int | None) -> pa.Table:
    """Return what was answered in the window and the one before it, or more, in the order of time; no shadow's rows."""
    import pyarrow.compute as pc

    from luban.store.clock import now

    wanted = 2 * (last or LAST)
    while True:
        since = workspace.predictions.newest(deployment.name, wanted)
        if window is not None:
            since = now() - timedelta(seconds=2 * window)
        log = workspace.predictions.read(deployment.name, since=since)
        log = log.filter(pc.not_equal(log["arm"], "shadow"))
        if since is None or window is not None or log.num_rows >= 2 * (last or LAST):
            return log.sort_by("moment")
        wanted *= 2  # a shadow said as much


def _cut(log: pa.Table, window: float | None, last: int | None) -> tuple[pa.Table, pa.Table]:
    """Return the rows of the window, and those of the one before it, as long."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from luban.store.clock import now

    if window is None:
        rows = last or LAST
        start = max(0, log.num_rows - rows)
        return log.slice(start), log.slice(max(0, start - rows), start - max(0, start - rows))
    end = now()
    kind = log.schema.field("moment").type
    edges = [pa.scalar(end - timedelta(seconds=times * window), kind) for times in (1, 2)]
    moment = log["moment"]
    older = pc.and_(pc.less(moment, edges[0]), pc.greater_equal(moment, edges[1]))
    return log.filter(pc.greater_equal(moment, edges[0])), log.filter(older)


def _part(log: pa.Table, prefix: str) -> pa.Table:
    names = [name for name in log.column_names if name.startswith(prefix)]
    return log.select(names).rename_columns([name.removeprefix(prefix) for name in names])


def _inputs(version: ModelVersion, log: pa.Table) -> pa.Table:
    """Return the canonical inputs that were logged, pictures and sounds by their digests.

    A column that no row has any more is not there.
    """
    import pyarrow as pa

    from luban.data.conform import conform
    from luban.data.media.endings import KINDS

    logged = _part(log, "input.")
    columns = [column for column in version.signature.inputs if column.name in logged.column_names]
    plain = [column for column in columns if column.kind not in KINDS]
    table = conform(logged.select([one.name for one in plain]), plain, infinities="missing").table if plain else logged
    return pa.table({one.name: (logged if one.kind in KINDS else table)[one.name] for one in columns})


def _outputs(version: ModelVersion, log: pa.Table) -> pa.Table:
    """Return what this version answered."""
    import pyarrow.compute as pc

    return _part(log.filter(pc.equal(log["model"], version.reference)), "output.")


def _window(workspace: Workspace, deployment: Deployment, version: ModelVersion, chosen: pa.Table) -> Any:
    import numpy as np
    import pyarrow.compute as pc

    from luban.monitoring.window import Window

    moments = pc.min_max(chosen["moment"]).as_py()
    newest = workspace.predictions.newest(deployment.name, _history(version))
    history = _labelled(workspace, deployment, version, newest and min(newest, moments["min"]))
    since = np.datetime64(moments["min"].replace(tzinfo=None))
    until = np.datetime64(moments["max"].replace(tzinfo=None))
    mine = chosen.filter(pc.equal(chosen["model"], version.reference))
    return Window(
        inputs=_inputs(version, chosen),
        outputs=_outputs(version, chosen),
        labelled=None if history is None else _between(history, since, until),
        history=history,
        latency=mine["latency_ms"].drop_null().to_numpy(),
        since=moments["min"].isoformat(),
        until=moments["max"].isoformat(),
        notes=(*_notes(version, chosen), *_judged_by(workspace, deployment, version, chosen)),
    )


def _history(version: ModelVersion) -> int:
    width = version.task.outputs * (_WORDS if version.task.kind == "tokens" else 1)
    return min(HISTORY, max(LAST, _CELLS // width))


def _notes(version: ModelVersion, chosen: pa.Table) -> tuple[str, ...]:
    import pyarrow.compute as pc

    notes = []
    others = chosen.num_rows - (pc.sum(pc.equal(chosen["model"], version.reference)).as_py() or 0)
    if others:
        notes.append(f"{others:,} rows were answered by other versions: their inputs count, their answers do not.")
    return tuple(notes)


def _judged_by(workspace: Workspace, deployment: Deployment, version: ModelVersion, log: pa.Table) -> tuple[str, ...]:
    """Return by how much of the answers labels are judged, where the log has not all of them."""
    if version.task.kind != "matching" or not workspace.labels.count(deployment.name):
        return ()
    if "output.alternatives" in log.column_names:
        return ("Of the ranked answers the log has the three best: a right one behind them counts as the last of all.",)
    kept = "Labels are kept, and tell no quality here: this log was written before it held more than the best answer."
    return (f"{kept} luban evaluate {version.reference} FILE does.",)


def _labelled(
    workspace: Workspace, deployment: Deployment, version: ModelVersion, since: datetime | None
) -> Labelled | None:
    """Return what this version has answered since and that has a label, in the order of time."""
    import numpy as np
    import pyarrow.compute as pc

    from luban.monitoring.quality import labelled

    if not workspace.labels.count(deployment.name):
        return None
    joined = workspace.labels.joined(deployment.name, since=since)
    mine = pc.and_(pc.equal(joined["model"], version.reference), pc.not_equal(joined["arm"], "shadow"))
    joined = joined.filter(mine)
    moments = joined["moment"].to_numpy().astype("datetime64[us]") if joined.num_rows else np.zeros(0, "datetime64[us]")
    if not joined.num_rows:
        return None
    return labelled(version.task, _inputs(version, joined), _part(joined, "output."), joined["label"], moments)


def _between(rows: Labelled, since: Any, until: Any) -> Labelled:
    import numpy as np
    import pyarrow as pa

    chosen = np.flatnonzero((rows.moments >= since) & (rows.moments <= until))
    return replace(
        rows,
        inputs=rows.inputs.take(pa.array(chosen)),
        prediction=rows.prediction[chosen],
        target=rows.target[chosen],
        moments=rows.moments[chosen],
    )


def _detectors() -> dict[str, Any]:
    """Return one of each streaming detector that can be used; without the extra there is none."""
    from luban.core import plugins
    from luban.core.errors import MissingExtra

    found = {}
    for name in plugins.names("detectors"):
        try:
            found[name] = plugins.create("detectors", name)
        except MissingExtra:
            continue
    return found


def threshold_of(workspace: Workspace, version: ModelVersion) -> float | None:
    """Return from which probability on a row counts as positive, has a label or an answer, where the model says."""
    from luban.learners import artifact
    from luban.operations.loading import checked

    if version.task.kind not in ("binary", "multilabel", "matching"):
        return None
    return artifact.threshold(workspace.blobs, checked(workspace, version.reference).artifact)
