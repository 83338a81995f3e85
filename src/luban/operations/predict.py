"""Predict: from rows to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luban.core.errors import InputError, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Predictions for all rows.

    Attributes
    ----------
    output : str, optional
        The file they were written to.
    columns : tuple of str
    predictions : tuple of mappings
        The predictions themselves where no file was asked for.
    notes : tuple of str
        What was done to make the rows fit the model.
    """

    model: str
    rows: int
    columns: tuple[str, ...]
    output: str | None = None
    predictions: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


@operation(permission="models:read")
def predict(
    workspace: Workspace,
    model: str,
    data: Any,
    *,
    output: Path | None = None,
    missing: Literal["error", "fill"] = "error",
    keep: tuple[str, ...] = (),
) -> Predicted:
    """Predict the rows of a file with a registered model.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    data
        The rows: a file, a data set of the workspace, or an object in memory.
    output
        File to write to (.parquet, .csv or .jsonl): a column `prediction`, and one `probability_<class>` each class.
    missing
        What to do when a column is missing: `error`, or `fill` to take it as missing values.
    keep
        Columns of the rows to write before the predictions, such as an identifier: `--keep customerID`.
    """
    from luban.learners.predictions import column_names
    from luban.operations.reading import read_table
    from luban.operations.writing import check_output, write_table

    if output is not None:
        check_output(output)
    from luban.operations.loading import runtime

    version = workspace.models.get(model)
    ready = runtime(workspace, model)
    rows = read_table(workspace, data)
    kept = _kept(rows, keep, column_names(ready.task))
    predictions = ready.predict(rows, missing=missing)
    table = predictions.to_table()
    for place, name in enumerate(kept.column_names):
        table = table.add_column(place, kept.schema.field(place), kept[name])
    if output is not None:
        write_table(table, output)
    return Predicted(
        model=version.reference,
        rows=table.num_rows,
        columns=tuple(table.column_names),
        output=str(output) if output is not None else None,
        predictions=() if output is not None else tuple(table.to_pylist()),
        notes=predictions.notes,
    )


def _kept(rows: pa.Table, keep: tuple[str, ...], made: tuple[str, ...]) -> pa.Table:
    """Return the columns to keep, each once, or raise where there is none or a prediction has its name."""
    for name in keep:
        if name not in rows.column_names:
            raise NotFound.named("column", name, rows.column_names)
        if name in made:
            raise InputError(
                f"the column {name!r} cannot be kept: the predictions have one of that name",
                remedy="Rename it in the rows.",
            )
    return rows.select(list(dict.fromkeys(keep)))
