"""Predictions export: the prediction log as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class PredictionsExported:
    """Where the rows were written."""

    deployment: str
    rows: int
    columns: tuple[str, ...]
    output: str


@operation(permission="predictions:read", name="predictions export")
def predictions_export(
    workspace: Workspace,
    name: str,
    output: Path,
    *,
    since: str | None = None,
    until: str | None = None,
    labelled: bool = False,
) -> PredictionsExported:
    """Write what a deployment was asked and answered to a file: ids, versions, inputs, outputs, latencies.

    Parameters
    ----------
    name
        The deployment, or one that was removed and whose log is kept.
    output
        File to write to (.parquet, .csv or .jsonl).
    since
        Only rows from this moment: a date, or a date and time in UTC.
    until
        Only rows before this moment.
    labelled
        Only rows with a label, which is added.
    """
    from luban.operations.writing import check_output, write_table

    check_output(output)
    deployment = name if workspace.predictions.left(name) else workspace.deployments.get(name).name
    begin, end = moment(since), moment(until)
    if labelled:
        table = workspace.labels.joined(deployment, since=begin, until=end)
    else:
        table = workspace.predictions.read(deployment, since=begin, until=end)
    write_table(table, output)
    return PredictionsExported(
        deployment=deployment, rows=table.num_rows, columns=tuple(table.column_names), output=str(output)
    )


def moment(text: str | None) -> datetime | None:
    """Return the moment that a text in ISO 8601 names, in UTC where it names no zone."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            "this is no moment", seen=repr(text)[:60], remedy="Write it as 2026-01-31 or 2026-01-31T12:00."
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
