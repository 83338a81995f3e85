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
    model: str | None = None,
    data: Any = None,
    *,
    output: Path | None = None,
    missing: Literal["error", "fill"] = "error",
    keep: tuple[str, ...] = (),
    zero_shot: str | None = None,
    text: str | None = None,
    backbone: str | None = None,
) -> Predicted:
    """Predict the rows of a file with a registered model, or with none where the labels are only named.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS. With `--zero-shot` there is none: only the rows are given.
    data
        The rows: a file, a data set of the workspace, or an object in memory.
    output
        File to write to (.parquet, .csv or .jsonl): a column `prediction`, and one `probability_<class>` each class.
    missing
        What to do when a column is missing: `error`, or `fill` to take it as missing values.
    keep
        Columns of the rows to write before the predictions, such as an identifier: `--keep customerID`.
    zero_shot
        Labels to choose from without any training: `--zero-shot "billing,delivery,refund"`. Where a name does not say
        what it means, a description does: `"billing,refund=the customer wants money back"`.
    text
        With `--zero-shot`, the column of texts; by default the only one.
    backbone
        With `--zero-shot`, the backbone that reads them: a name of `luban zoo list`, a folder, an
        installed package with weights, or a hub identifier.
    """
    from luban.learners.predictions import column_names
    from luban.operations.reading import read_table
    from luban.operations.writing import check_output, write_table

    if output is not None:
        check_output(output)
    if zero_shot is not None:
        if model is not None and data is not None:
            raise InputError(
                "with --zero-shot there is no model to name", seen=repr(model), remedy="Give only the rows."
            )
        from luban.core.paths import paths_allowed

        if data is None and not paths_allowed():
            raise InputError("with --zero-shot the rows are given as data, and no model", remedy="Send data alone.")
        rows = model if data is None else data
        return _zero_shot(workspace, rows, zero_shot, output=output, keep=keep, text=text, backbone=backbone)
    if model is None or data is None:
        raise InputError(
            "a prediction needs a model and its rows",
            seen=f"only {model!r}" if model is not None else "only rows" if data is not None else None,
            remedy="Give both: MODEL DATA.",
        )
    if text is not None or backbone is not None:
        raise InputError("--text and --backbone go with --zero-shot", remedy="A registered model has its own.")
    from luban.operations.loading import runtime

    version = workspace.models.get(model)
    ready = runtime(workspace, model)
    rows = read_table(workspace, data)
    kept = _kept(rows, keep, column_names(ready.task))
    predictions = ready.predict(rows, missing=missing)
    table = _beside(kept, predictions.to_table())
    if output is not None:
        write_table(table, output)
    return _predicted(version.reference, table, output, predictions.notes)


def _zero_shot(
    workspace: Workspace,
    data: Any,
    labels: str,
    *,
    output: Path | None,
    keep: tuple[str, ...],
    text: str | None,
    backbone: str | None,
) -> Predicted:
    from luban.operations import zero_shot
    from luban.operations.reading import read_table
    from luban.operations.writing import write_table

    if data is None:
        raise InputError("there are no rows to predict", remedy="Name a file or a data set after the labels.")
    names = zero_shot.named(labels)
    rows = read_table(workspace, data)
    kept = _kept(rows, keep, ("prediction", *(f"probability_{name}" for name in names)))
    made, name, notes = zero_shot.answers(workspace, rows, names, text=text, backbone=backbone)
    table = _beside(kept, made)
    if output is not None:
        write_table(table, output)
    return _predicted(f"{name} (zero-shot)", table, output, notes)


def _beside(kept: pa.Table, predictions: pa.Table) -> pa.Table:
    """Return the kept columns before those of the predictions."""
    for place, name in enumerate(kept.column_names):
        predictions = predictions.add_column(place, kept.schema.field(place), kept[name])
    return predictions


def _predicted(model: str, table: pa.Table, output: Path | None, notes: tuple[str, ...]) -> Predicted:
    return Predicted(
        model=model,
        rows=table.num_rows,
        columns=tuple(table.column_names),
        output=str(output) if output is not None else None,
        predictions=() if output is not None else tuple(table.to_pylist()),
        notes=notes,
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
