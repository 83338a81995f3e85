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

FORM = 1
"""Form of what is kept; another one is made anew."""

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
    from luban.monitoring.outputs import watched

    columns = [column for column in version.signature.inputs if column.name in inputs.column_names]
    answers = [column for column in watched(version.task) if column.name in outputs.column_names]
    moments = pc.min_max(log["moment"]).as_py()
    return Baseline(
        subject=f"the window from {moments['min']:%Y-%m-%d %H:%M:%S} to {moments['max']:%Y-%m-%d %H:%M:%S}",
        rows=log.num_rows,
        inputs=column_baselines(columns, inputs),
        outputs=column_baselines(answers, outputs) if outputs.num_rows else (),
        expected=_expected(version, out_of_fold(workspace, version)),
    )


def keep_out_of_fold(workspace: Workspace, run: str, target: np.ndarray, prediction: np.ndarray, seed: int) -> None:
    """Keep predictions of rows that were not learnt from, at most 20,000 of them, with the fit's run."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if prediction.ndim > 2 or target.ndim > 1:  # labels of words: what is watched of those are not probabilities
        return
    chosen = np.arange(len(target))
    if len(chosen) > _KEPT:
        chosen = np.sort(np.random.default_rng(seed).choice(len(target), _KEPT, replace=False))
    wide = prediction[chosen].reshape(len(chosen), -1)
    columns = {"target": target[chosen], **{f"p{place}": wide[:, place] for place in range(wide.shape[1])}}
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content, compression="zstd")
    workspace.runs.set_tag(run, OUT_OF_FOLD, workspace.blobs.put(content.getvalue()))


def out_of_fold(workspace: Workspace, version: ModelVersion) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (target, prediction) of rows that a model had not learnt from, None where they were not kept."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    digest = None if version.run is None else workspace.runs.tags(version.run).get(OUT_OF_FOLD)
    if digest is None:
        return None
    table = pq.read_table(pa.BufferReader(workspace.blobs.get(digest)))
    prediction = np.column_stack([column.to_numpy() for column in table.columns[1:]])
    target: np.ndarray = table["target"].to_numpy()
    return target, prediction if version.task.outputs > 1 or version.task.quantiles else prediction[:, 0]


def _made(workspace: Workspace, version: ModelVersion, seed: int) -> Baseline:
    import numpy as np
    import pyarrow as pa

    from luban.data import versions
    from luban.data.conform import conform
    from luban.monitoring.baseline import Baseline, column_baselines
    from luban.monitoring.outputs import answers, watched

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
    if known is not None and version.task.kind not in ("tokens", "matching"):
        outputs = column_baselines(
            watched(version.task), answers(version.task, known[1], _decided(workspace, version, known[1]))
        )
    return Baseline(
        subject=version.dataset,
        rows=rows,
        inputs=column_baselines(columns, inputs),
        outputs=outputs,
        expected=_expected(version, known),
        notes=tuple(notes),
    )


_UNKNOWN = (
    "Predictions on rows that the model had not learnt from were not kept with it, so its predictions have nothing to "
    "be compared with; --against previous compares them with the window before."
)


def _decided(workspace: Workspace, version: ModelVersion, prediction: np.ndarray) -> np.ndarray | None:
    """Return the class codes at the model's threshold, where it has one."""
    from luban.operations.monitoring.rows import threshold_of

    threshold = threshold_of(workspace, version)
    return None if threshold is None else (prediction[:, 1] >= threshold).astype("int64")


def _expected(version: ModelVersion, known: tuple[np.ndarray, np.ndarray] | None) -> Any:
    from luban.monitoring.expected import expected

    if known is None or version.task.kind in ("tokens", "matching"):
        return None
    return expected(version.task, *known)
