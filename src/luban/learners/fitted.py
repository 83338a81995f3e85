"""A model with all it takes to use it: the task, what goes in and out, and the manifest it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from luban.core.model import Signature
from luban.learners.predictions import Predictions, of_values, output_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import pyarrow as pa

    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.learners.composite import Composite


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model, ready for data as users have it.

    Parameters
    ----------
    task : Task
    signature : Signature
    model : Composite
    manifest : mapping
        As `luban.learners.artifact` writes it; empty where the model was not stored yet.
    """

    task: Task
    signature: Signature
    model: Composite
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def predict(
        self,
        data: Any,
        *,
        missing: Literal["error", "fill"] = "error",
        values: Callable[[pa.Table], np.ndarray] | None = None,
    ) -> Predictions:
        """Return predictions for anything tabular: a table, a frame, one row as a dict, a list of dicts.

        Parameters
        ----------
        data : object
        missing : {"error", "fill"}
            Whether a column that is not there is an error, or missing in every row.
        values : callable, optional
            Another form of the same model, from the canonical table to its predictions: an ONNX session.

        Raises
        ------
        InputError
            Naming the column that is missing or cannot be read.
        """
        import numpy as np

        from luban.data.blank import blank, told
        from luban.data.conform import conform
        from luban.data.words import WORDS, counts

        inputs = self.signature.inputs
        conformed = conform(data, inputs, missing=missing)
        empty = told(blank(conformed.table, inputs), conformed.table.num_rows, inputs)
        notes = (*conformed.notes, empty) if empty else conformed.notes
        found = (values or self.model.predict)(conformed.table)
        codes = self.model.decide(found) if self.task.classes else None
        if self.task.kind != "tokens":
            return of_values(self.task, found, codes, notes)
        words = counts(conformed.table[self.task.inputs[0]], WORDS)
        unread = int((np.isfinite(found).all(axis=2).sum(axis=1) < words).sum())
        note = f"{unread:,} texts are longer than the model reads; the words behind have no label."
        notes = (*notes, note) if unread else notes
        return of_values(self.task, found, codes, notes, words)


def fitted(model: Composite, schema: Schema) -> Fitted:
    """Return a model with its signature.

    Parameters
    ----------
    schema : Schema
        Has at least the task's input columns.
    """
    return Fitted(task=model.task, signature=signature(model.task, schema), model=model)


def signature(task: Task, schema: Schema) -> Signature:
    """Return the columns that go into a model of the task and the ones that come out."""
    return Signature(inputs=schema.select(task.inputs).columns, outputs=output_columns(task))
