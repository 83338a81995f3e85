"""From what the user gave to rows that learners take: read, check, understand, keep a version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa

    from luban.core.dataset import Dataset
    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Rows ready to learn from.

    Attributes
    ----------
    schema : Schema
        Of the input columns.
    table : pyarrow.Table
        Canonical table of the inputs, rows with a known target only.
    target : numpy.ndarray
    groups : numpy.ndarray, optional
        Code of the group of each row.
    moments : numpy.ndarray, optional
        Rank in time of each row.
    notes : tuple of str
        What was noticed and decided on the way.
    """

    dataset: Dataset
    task: Task
    schema: Schema
    table: pa.Table
    target: np.ndarray
    groups: np.ndarray | None
    moments: np.ndarray | None
    notes: tuple[str, ...]


def prepare(
    workspace: Workspace, data: Any, *, name: str, target: str, options: Mapping[str, Any], keep: bool = True
) -> Prepared:
    """Read and check the rows before anything is written, then keep them as a version of a data set.

    Parameters
    ----------
    options : mapping
        ``metric``, ``task``, ``quantiles``, ``ignore``, ``group``, ``time``, ``monotonic``, ``backbone``, ``adapt``,
        ``threshold``: what the user decided instead of Luban.
    keep : bool
        Whether rows that are new become a version of a data set; else nothing is written, and its version is 0.

    Raises
    ------
    InputError
        If nothing can be learnt from the rows as they are.
    """
    from luban.core import plugins
    from luban.core.dataset import Dataset
    from luban.data import conform, infer, versions
    from luban.data.media.verify import verified
    from luban.data.target import encode_target
    from luban.data.task import infer_task
    from luban.evaluation import metrics
    from luban.operations.deciding import check as check_threshold
    from luban.operations.fitting.directions import check_directions, directions
    from luban.operations.fitting.grouping import group_codes, grouping, moments, with_roles
    from luban.operations.reading import read_new, source_of, stored

    wanted_directions = directions(options.get("monotonic") or ())
    dataset = stored(workspace, data)
    whole = verified(versions.table(workspace, dataset) if dataset is not None else read_new(workspace, data))
    table = whole.table
    inferred = infer.Inference(schema=dataset.schema) if dataset is not None else infer.infer(table)
    deciding = grouping(inferred.schema, target, group=options.get("group"), time=options.get("time"))
    schema = with_roles(inferred.schema, deciding)
    wanted: dict[str, Any] = {
        "kind": options.get("task"),
        "quantiles": options.get("quantiles") or None,
        "ignore": tuple(options.get("ignore") or ()),
    }
    metric = options.get("metric")
    if metric is not None and metric not in plugins.names("metrics"):
        # The task without it tells which metrics suit, and so what the error should offer.
        metrics.metric(metric, infer_task(table, schema, target, **wanted).task)
    inference = infer_task(table, schema, target, metric=metric, **wanted)
    task = inference.task
    check_directions(wanted_directions, task, inference.schema)
    if options.get("threshold") is not None:
        check_threshold(task, options["threshold"])
    if wanted_directions:
        task = replace(task, constraints={**task.constraints, "monotonic": wanted_directions})
    if options.get("backbone") is not None:
        from luban.operations.fitting.backbone import checked

        named = checked(str(options["backbone"]), inference.schema.select(task.inputs))
        task = replace(task, constraints={**task.constraints, "backbone": named})
    rows = inference.learnable(table)
    groups, times = group_codes(rows, deciding.group), moments(rows, schema, deciding.time)
    inputs = inference.schema.select(task.inputs)
    conformed = conform.conform(rows.select(inputs.names), inputs.columns)
    if options.get("adapt"):
        from luban.learners.adapted.adapting import check
        from luban.operations.fitting.adapting import settings

        task = replace(task, constraints={**task.constraints, "adapt": settings(options["adapt"])})
        check(task, inputs, conformed.table)
    if dataset is None and not keep:
        dataset = Dataset(name=name, version=0, schema=schema, rows=table.num_rows, fingerprint="")
    if dataset is None:
        dataset = versions.add_version(workspace, table.to_batches(), name=name, schema=schema, source=source_of(data))
    return Prepared(
        dataset=dataset,
        task=task,
        schema=inputs,
        table=conformed.table,
        target=encode_target(task, rows.column(target)),
        groups=groups,
        moments=times,
        notes=(*whole.notes, *inferred.notes, *inference.notes, *deciding.notes, *conformed.notes),
    )
