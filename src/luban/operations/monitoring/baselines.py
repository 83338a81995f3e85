"""The baseline of a model: made from the data set version that it learnt from when first asked for, and kept."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.report import Finding, Report
from luban.core.serial import from_json, to_json

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.core.model import ModelVersion
    from luban.monitoring.baseline import Baseline
    from luban.store import Workspace

CHECK = "baseline"
"""Name of the check under which baselines are kept."""

FORM = 2
"""Form of what is kept; another one is made anew. Since 2 the quality is that of what the model decides."""

OUT_OF_FOLD = "out_of_fold"
"""Tag of a fit's run: the blob with predictions of rows that were not learnt from."""

_ROWS = 200_000
_KEPT = 20_000


def baseline_of(workspace: Workspace, version: ModelVersion, *, seed: int = 0) -> Baseline:
    """Return what a model version learnt from, in a form small enough to compare every window with.

    Raises
    ------
    InputError
        If it is not known what it learnt from.
    """
    from luban.monitoring.baseline import Baseline

    for entry in workspace.reports.list(subject=version.reference, check=CHECK):
        kept = workspace.reports.get(entry.digest).figures
        if kept["form"] == FORM:
            return from_json(Baseline, kept["baseline"])
    made = _made(workspace, version, seed)
    what = f"{made.rows:,} rows of {made.subject}, {len(made.inputs)} columns"
    figures = {"form": FORM, "baseline": to_json(made)}
    workspace.reports.add(
        Report(
            check=CHECK,
            subject=version.reference,
            verdict="info",
            findings=(Finding(what=what, value=made.rows),),
            figures=figures,
        )
    )
    return made


def baseline_of_window(
    workspace: Workspace, version: ModelVersion, inputs: pa.Table, outputs: pa.Table, log: pa.Table
) -> Baseline:
    """Return rows of the log as a baseline, with the quality to expect from the fit."""
    import pyarrow.compute as pc

    from luban.monitoring.baseline import Baseline, column_baselines
    from luban.monitoring.outputs import seen, watched

    columns = [column for column in version.signature.inputs if column.name in inputs.column_names]
    outputs = seen(version.task, outputs)
    answers = [column for column in watched(version.task) if column.name in outputs.column_names]
    moments = pc.min_max(log["moment"]).as_py()
    return Baseline(
        subject=f"the window from {moments['min']:%Y-%m-%d %H:%M:%S} to {moments['max']:%Y-%m-%d %H:%M:%S}",
        rows=log.num_rows,
        inputs=column_baselines(columns, inputs),
        outputs=column_baselines(answers, outputs) if outputs.num_rows else (),
        expected=_expected(workspace, version, out_of_fold(workspace, version)),
    )


def keep_out_of_fold(workspace: Workspace, run: str, target: np.ndarray, prediction: np.ndarray, seed: int) -> None:
    """Keep predictions of rows that were not learnt from, at most 20,000 of them, with the fit's run."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen = np.arange(len(target))
    if len(chosen) > _KEPT:
        chosen = np.sort(np.random.default_rng(seed).choice(len(target), _KEPT, replace=False))
    target, prediction = target[chosen], prediction[chosen]
    if prediction.ndim == 3:  # of words what was said of each, as the log has it
        columns = _of_words(target, prediction)
    else:
        wide, true = prediction.reshape(len(chosen), -1), target.reshape(len(chosen), -1)
        columns = {"target": true[:, 0]} if target.ndim == 1 else {f"t{i}": true[:, i] for i in range(true.shape[1])}
        columns |= {f"p{place}": wide[:, place] for place in range(wide.shape[1])}
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content, compression="zstd")
    workspace.runs.set_tag(run, OUT_OF_FOLD, workspace.blobs.put(content.getvalue()))


def out_of_fold(workspace: Workspace, version: ModelVersion) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (target, prediction) of rows that a model had not learnt from, None where they were not kept.

    Predictions are as the log would have them: see `luban.learners.logged.shortened`.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from luban.learners.logged import shortened, spread

    digest = None if version.run is None else workspace.runs.tags(version.run).get(OUT_OF_FOLD)
    if digest is None:
        return None
    table = pq.read_table(pa.BufferReader(workspace.blobs.get(digest)))
    if "said" in table.column_names:
        true, said = _padded(table["target"], -1), _padded(table["said"], -1)
        return true.astype(np.int64), spread(said.astype(np.int64), _padded(table["sure"], 0.0), version.task.outputs)
    many = version.task.kind == "multilabel"
    true = np.column_stack([table[name].to_numpy() for name in table.column_names if name[0] == "t"])
    prediction = np.column_stack([table[name].to_numpy() for name in table.column_names if name[0] == "p"])
    wide = version.task.outputs > 1 or version.task.quantiles or many
    return (true if many else true[:, 0]), shortened(version.task, prediction) if wide else prediction[:, 0]


def _of_words(target: np.ndarray, prediction: np.ndarray) -> dict[str, pa.Array]:
    """Return the codes of the words' labels, those that were said, and how surely, a list a row."""
    import numpy as np
    import pyarrow as pa

    read = np.isfinite(prediction).all(axis=2)
    whole = np.nan_to_num(prediction)
    said = np.where(read, whole.argmax(axis=2), -1)
    sure = whole.max(axis=2, initial=0.0)
    return {
        "target": pa.array([row[row >= 0].tolist() for row in target], pa.list_(pa.int32())),
        "said": pa.array(
            [row[:end].tolist() for row, end in zip(said, _ends(read), strict=True)], pa.list_(pa.int32())
        ),
        "sure": pa.array([row[:end].tolist() for row, end in zip(sure, _ends(read), strict=True)]),
    }


def _ends(read: np.ndarray) -> list[int]:
    import numpy as np

    return [int(places[-1]) + 1 if len(places) else 0 for places in map(np.flatnonzero, read)]


def _padded(lists: pa.ChunkedArray, nothing: float) -> np.ndarray:
    import numpy as np

    rows = lists.to_pylist()
    found = np.full((len(rows), max((len(row) for row in rows), default=0)), nothing)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found


def _made(workspace: Workspace, version: ModelVersion, seed: int) -> Baseline:
    import numpy as np
    import pyarrow as pa

    from luban.data import versions
    from luban.data.conform import conform
    from luban.monitoring.baseline import Baseline, column_baselines
    from luban.monitoring.outputs import answers, seen, watched
    from luban.operations.monitoring.rows import threshold_of

    if version.dataset is None:
        raise InputError(
            f"it is not known what {version.reference} learnt from",
            remedy="Compare with the window before: luban monitor NAME --against previous",
        )
    table = versions.table(workspace, workspace.datasets.get(version.dataset))
    rows = table.num_rows
    if rows > _ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(rows, _ROWS, replace=False))
        table = table.take(pa.array(chosen))
    columns = version.signature.inputs
    inputs = conform(table, columns, infinities="missing").table
    known = out_of_fold(workspace, version)
    notes = [] if known is not None else [_UNKNOWN]
    outputs: Any = ()
    if known is not None:
        told = answers(version.task, known[1], threshold_of(workspace, version))
        outputs = column_baselines(watched(version.task), seen(version.task, told))
    return Baseline(
        subject=version.dataset,
        rows=rows,
        inputs=column_baselines(columns, inputs),
        outputs=outputs,
        expected=_expected(workspace, version, known),
        notes=tuple(notes),
    )


_UNKNOWN = (
    "Predictions on rows that the model had not learnt from were not kept with it, so its predictions have nothing to "
    "be compared with; --against previous compares them with the window before."
)


def _expected(workspace: Workspace, version: ModelVersion, known: tuple[np.ndarray, np.ndarray] | None) -> Any:
    """Return the quality to expect of what the model decides, as labels will tell it."""
    from luban.monitoring.expected import expected
    from luban.operations.monitoring.rows import threshold_of

    if known is None:
        return None
    return expected(version.task, *known, threshold=threshold_of(workspace, version))
