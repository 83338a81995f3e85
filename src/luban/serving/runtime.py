"""A fitted model ready to answer, through ONNX Runtime or in its Python form, with the same answers.

One row takes a path of plain Python values and one thread, without a table; many rows are conformed as a table
and computed by all threads.
"""

from __future__ import annotations

import copy
import math
import os
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from luban.core.errors import Unsupported
from luban.core.protocols import Explainable
from luban.data.conform import conform
from luban.data.row import RowReader, check_missing, conform_row, row_reader
from luban.learners.artifact import Stored
from luban.learners.graph.feeding import Feeding, row_table, rows_table
from luban.learners.graph.one_row import OneRow
from luban.learners.graph.outputs import value_output, values_of
from luban.learners.graph.session import open_compact_session, open_session
from luban.learners.predictions import label_values
from luban.serving.answers import Answer, answer, answer_row
from luban.serving.limits import ModelFailed
from luban.serving.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.schema import Column
    from luban.data.row import Value
    from luban.learners.fitted import Fitted
    from luban.learners.predictions import Predictions

Missing = Literal["error", "fill"]
QUICK = 0.001  # seconds
FEW_ROWS = 32  # up to so many rows one thread is as fast as several


class Runtime:
    """One version of a model that answers; safe to call from several threads at once.

    Parameters
    ----------
    fitted : Fitted or Stored
        A stored model is made in its Python form only when something asks for it that the graph cannot do.
    graph : bytes, optional
        Its ONNX graph; without one the model answers in its Python form.
    name, version
        What it is called in answers, metrics and routes.
    threads : int, optional
        Threads that compute many rows; by default one a processor.
    paths : bool
        Whether `predict_row` takes the path of a picture or sound, as `predict` does, where `luban.core.paths` allows
        it: for callers in this process. A server, whose rows come from clients, takes only content.
    stays : bool
        Whether it is kept, as a server keeps it, so that little memory is worth more than to be ready soon.

    Attributes
    ----------
    columns : mapping of str to Column
        The input columns by name.
    engine : str
        ``"onnx"`` or ``"python"``.
    empty : Answer
        The answer for no rows: it shows names, types and widths of the outputs.
    quick : bool
        Whether one row takes less than a millisecond, measured when it is made.
    """

    def __init__(
        self,
        fitted: Fitted | Stored,
        graph: bytes | None = None,
        *,
        name: str = "model",
        version: int = 1,
        threads: int | None = None,
        paths: bool = False,
        stays: bool = False,
    ) -> None:
        self.name = name
        self.version = version
        self.task = fitted.task
        self.signature = fitted.signature
        self.engine = "python" if graph is None else "onnx"
        self._fitted: Once[Fitted] = Once(fitted.load if isinstance(fitted, Stored) else lambda: fitted)
        self._labels = label_values(self.task)
        self._output = [value_output(self.task)]
        columns = self.signature.inputs
        self.columns: Mapping[str, Column] = {column.name: column for column in columns}
        self._readers: dict[str, RowReader] = {
            "error": row_reader(columns, paths=False),  # a client sends content, never a path of this machine
            "fill": row_reader(columns, missing="fill", paths=False),
        }
        self._paths = paths
        self._one: Any
        self._many: Once[Any] | None
        threads = threads or os.cpu_count() or 1
        self._one, self._many = (None, None) if graph is None else _sessions(graph, threads, stays=stays)
        self._feeding = None if graph is None else Feeding(self._one, columns)
        self._row = None if self._feeding is None else OneRow(self._one, self._feeding, value_output(self.task))
        self.threshold: float | None = (
            fitted.threshold if isinstance(fitted, Stored) else getattr(fitted.model, "threshold", None)
        )
        if graph is None:
            self._fitted()
        wide = (0, self.task.outputs) if self.task.classes or self.task.quantiles else (0,)
        self._nothing = np.empty((0, 0, self.task.outputs) if self.task.kind == "tokens" else wide)
        self.empty = self._empty_answer()
        self.quick = self._one is not None and self._is_quick()

    @classmethod
    def from_fitted(
        cls,
        fitted: Fitted | Stored,
        onnx: bytes | None = None,
        *,
        name: str = "model",
        version: int = 1,
        paths: bool = False,
        stays: bool = False,
    ) -> Runtime:
        """Return the runtime of a fitted model."""
        return cls(fitted, onnx, name=name, version=version, paths=paths, stays=stays)

    def named(self, name: str) -> Runtime:
        """Return the same version under another name; what it has opened and made, now or later, is of both."""
        other = copy.copy(self)
        other.name = name
        return other

    def predict_row(self, row: Mapping[str, Any], *, missing: Missing = "error") -> dict[str, Any]:
        """Return the prediction of one row.

        Parameters
        ----------
        row : mapping
            Values by column name; None is missing, and names that the model does not know are left aside.
        missing : {"error", "fill"}
            Whether a column that is not there is an error, or missing.

        Returns
        -------
        dict
            ``prediction``, and ``probabilities`` by label or ``quantiles`` by level where the task has them; the
            ``probability`` of each word's label; ``score`` and ``alternatives`` of an answer (None where rejected).

        Raises
        ------
        InputError
            Naming the column.
        """
        return self.answered_row(self._row_values(row, missing))

    def answer(self, data: Any, *, missing: Missing = "error") -> Answer:
        """Return the answer for anything tabular, as arrays."""
        table, notes = self.read(data, missing)
        return self.answered([self.values(table)], notes)

    # The steps of an answer, for requests that are computed together (`luban.serving.lanes`).

    def read(self, data: Any, missing: Missing) -> tuple[pa.Table, tuple[str, ...]]:
        """Return (canonical table, notes) of anything tabular."""
        conformed = conform(data, self.signature.inputs, missing=missing, paths=False)
        return conformed.table, conformed.notes

    def read_row(self, row: Mapping[str, Any], missing: Missing) -> dict[str, Value]:
        """Return the conformed values of one row."""
        check_missing(missing)
        return self._readers[missing](row)

    def values_of_parts(self, parts: Sequence[pa.Table | dict[str, Value]]) -> list[np.ndarray]:
        """Return the model's values for each part: a canonical table, or one conformed row; computed in one call."""
        tables = [one if isinstance(one, pa.Table) else rows_table([one], self.signature.inputs) for one in parts]
        if all(isinstance(one, dict) for one in parts):
            tables = [rows_table(parts, self.signature.inputs)]  # type: ignore[arg-type]
        values = self.values(tables[0] if len(tables) == 1 else _joined(tables))
        ends = np.cumsum([one.num_rows if isinstance(one, pa.Table) else 1 for one in parts])
        if len(values) != ends[-1]:
            raise ModelFailed("the model answered another number of rows", seen=f"{len(values)} of {ends[-1]}")
        return np.split(values, ends[:-1])

    def answered_row(self, values: np.ndarray) -> dict[str, Any]:
        """Return the prediction of the one row that these values are of."""
        if self.task.kind == "tokens":
            return answer_row(self.task, self._checked(values)[0], self.threshold)
        listed = values[0].tolist()
        if not math.isfinite(sum(listed) if isinstance(listed, list) else listed):
            self._checked(values)
        return answer_row(self.task, values[0], self.threshold)

    def answered(self, values: Sequence[np.ndarray], notes: tuple[str, ...] = ()) -> Answer:
        """Return the answer that the model's values, given in parts, come to."""
        whole = self._checked(values[0] if len(values) == 1 else np.concatenate(_as_long(values)))
        return answer(self.task, self._labels, whole, self.threshold, notes)

    def explain(self, data: Any, *, missing: Missing = "error") -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, columns, outputs) and (outputs,), as `Explainable.contributions` does.

        Raises
        ------
        Unsupported
            If the model cannot explain itself.
        """
        model = self._fitted().model
        if not isinstance(model, Explainable):
            raise Unsupported(
                "the model cannot explain itself exactly", seen=self.name, remedy="Use luban explain, which samples."
            )
        return model.contributions(self.read(data, missing)[0])

    def _checked(self, values: np.ndarray) -> np.ndarray:
        """Return values that are an answer, without words beyond the longest row's; else raise `ModelFailed`."""
        if self.task.kind == "tokens":  # NaN stands for the words that a shorter row does not have
            there = np.flatnonzero(~np.isnan(values).all(axis=(0, 2)))
            return values[:, : int(there[-1]) + 1 if len(there) else 0]
        # The sum is finite where all values are, but for sums beyond the largest number, of which a second look tells.
        if not math.isfinite(values.sum()) and not np.isfinite(values).all():
            raise ModelFailed(
                "the model answered what is no number", remedy="The fault is the model's, not the request's."
            )
        return values

    def predict(self, data: Any, *, missing: Missing = "error") -> Predictions:
        """Return the predictions of anything tabular, as `Fitted.predict` does."""
        return self._fitted().predict(data, missing=missing, values=self.values)

    def _row_values(self, row: Mapping[str, Any], missing: Missing) -> np.ndarray:
        """Return values of shape (1, K), (1,), (1, Q) or (1, L, K)."""
        check_missing(missing)
        columns = self.signature.inputs
        read = conform_row(row, columns, missing=missing) if self._paths else self._readers[missing](row)
        if self._row is None:
            return self.values(row_table(read, self.signature.inputs))
        return values_of(self.task, self._row(read))

    def values(self, table: pa.Table) -> np.ndarray:
        """Return the model's values for canonical rows."""
        if not table.num_rows:
            return self._nothing
        if self._feeding is None:
            return np.asarray(self._fitted().model.predict(table))
        session = self._one if self._many is None or table.num_rows <= FEW_ROWS else self._many()
        return values_of(self.task, self._feeding.run(session, self._output, table)[0])

    def _empty_answer(self) -> Answer:
        return answer(self.task, self._labels, self._nothing, self.threshold)

    def _is_quick(self) -> bool:
        """Return whether a row takes so little, by the best of a few calls: the first ones make the session's buffers.

        A model that cannot answer a row of missing values may well answer others; nothing is known of its time.
        """
        taken = []
        for _ in range(5):
            started = time.perf_counter()
            try:
                self.predict_row({}, missing="fill")
            except Exception:  # noqa: BLE001 - a model may fail in any way; those who ask are told
                return False
            taken.append(time.perf_counter() - started)
        return min(taken) <= QUICK


def _sessions(graph: bytes, threads: int, *, stays: bool) -> tuple[Any, Once[Any] | None]:
    """Return the session of one row, and that of many where it is another one, opened when it is first needed."""
    opened = open_compact_session if stays else open_session
    if threads == 1:
        return opened(graph, threads=1), None
    kept = _kept(graph, packed=stays)
    return opened(graph, threads=1), Once(lambda: opened(kept(), threads=threads))


def _kept(graph: bytes, *, packed: bool) -> Callable[[], bytes]:
    """Return what gives a graph again, for a session that may never be asked for."""
    if not packed:
        return lambda: graph
    codec, size = pa.Codec("zstd"), len(graph)
    content = codec.compress(graph, asbytes=True)
    return lambda: bytes(codec.decompress(content, decompressed_size=size, asbytes=True))


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([one.replace_schema_metadata(None) for one in tables]).combine_chunks()


def _as_long(values: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Return values of words, shape (n, L, K) each, with the same L."""
    if values[0].ndim < 3:
        return values
    longest = max(one.shape[1] for one in values)
    return [np.pad(one, [(0, 0), (0, longest - one.shape[1]), (0, 0)], constant_values=np.nan) for one in values]
