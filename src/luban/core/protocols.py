"""The protocols: what a part must do to take its place in the house.

Each is the contract of one entry-point group (``luban.learners``, ``luban.sources``, ...). They are
small on purpose; what only some parts can do is a protocol of its own, an *ability*, and asked for
with ``isinstance``. `luban.testing` ships a conformance check for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.preparation import Preparation
    from luban.core.report import Evidence, Finding, Report
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task

# --- data ---------------------------------------------------------------------------------------


@runtime_checkable
class Source(Protocol):
    """Somewhere rows come from (group ``luban.sources``)."""

    def matches(self, location: Any) -> bool:
        """Return whether this source can read `location`: a path, a URL or an object in memory."""

    def read(self, location: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of bounded size, all of one Arrow schema (at least one batch)."""


@runtime_checkable
class Modality(Protocol):
    """A kind of data (group ``luban.modalities``)."""

    def detect(self, name: str, values: pa.ChunkedArray) -> str | None:
        """Return the kind of column that these values are, or None where it is not of this modality."""

    def profile(self, name: str, values: pa.ChunkedArray) -> Mapping[str, Any]:
        """Return figures that describe a column."""


@runtime_checkable
class Examining(Protocol):
    """Ability of a modality: its values are files of their own, which may be broken."""

    def examine(self, content: bytes) -> Mapping[str, Any]:
        """Read a file to its end and return its figures, or raise `InputError` with what is wrong with it."""


@runtime_checkable
class Reporting(Protocol):
    """Ability of a modality: it can say what is worth knowing of a column."""

    def findings(self, name: str, figures: Mapping[str, Any]) -> Sequence[Finding]:
        """Return what the figures of `Modality.profile` mean, in words, each with its fix where it needs one."""


# --- learning -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Rows to learn from.

    Parameters
    ----------
    table : pyarrow.Table
        The input columns only, conforming to the schema.
    target : numpy.ndarray
        Shape (n,): class codes (int64, 0..K-1) for classes, float64 otherwise. No missing values. For multilabel
        float64 of shape (n, K), 1 where a row bears a label, else 0; for tokens the codes of the words' labels,
        int64 of shape (n, L), -1 where a row has fewer words.
    weight : numpy.ndarray, optional
        Shape (n,), non-negative float64.
    """

    table: pa.Table
    target: np.ndarray
    weight: np.ndarray | None = None


@dataclass(frozen=True)
class Suitable:
    """A learner can take the task on."""

    note: str = ""


@dataclass(frozen=True)
class Unsuitable:
    """A learner cannot take the task on, for this reason (shown on the leaderboard)."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Parameters worth trying, as published or found; a lower `order` is tried earlier.

    Parameters
    ----------
    once : bool
        One fit is so dear that it is fitted on the first fold alone, and that model stays: it is
        neither cross-validated nor learnt again from all rows.
    share : float, optional
        Share of the time left that its first fold may take, where the usual one does not suit it.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    order: float = 100.0
    once: bool = False
    share: float | None = None


@runtime_checkable
class Model(Protocol):
    """What a learner's fit returns: from a table of inputs to predictions."""

    @property
    def learner(self) -> str:
        """Name of the learner that made it and that can load it."""

    @property
    def learned(self) -> Mapping[str, Any]:
        """What this fit found out and a refit on more rows must be told, as parameters: ``{"rounds": 312}``."""

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions.

        Shape (n, K) with rows that sum to 1 for K classes, (n,) for regression, (n, Q), non-decreasing
        along each row, for Q quantiles; (n, K) independent probabilities for multilabel; (n, L, K) for tokens, NaN
        where a row has fewer than L words or a word was not read.
        """

    def save(self) -> Mapping[str, bytes]:
        """Return the typed payloads, by file name; never pickle."""


@runtime_checkable
class Learner(Protocol):
    """A way to learn (group ``luban.learners``). It holds no state: what is learnt is the model.

    It is offered tasks of the kinds of `luban.core.task.PLAIN`, unless it is `Specialised`.
    """

    name: str

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether it can take on this task with these inputs, and if not why, in words."""

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        """Return parameters worth trying without search, at least one."""

    def space(self, task: Task, schema: Schema) -> Space:
        """Return the parameters to search over for these inputs; empty where there are none."""

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> Model:
        """Learn from `training` and return before ``effort.deadline`` with the best model so far.

        Parameters
        ----------
        schema : Schema
            Of the input columns in ``training.table``.
        validation : Examples, optional
            For early stopping; without it the number of rounds comes from `parameters`.
        report : callable, optional
            Called as ``report(step, loss)`` with a validation loss (lower is better); training stops early
            where it returns False.
        """

    def load(self, payloads: Mapping[str, bytes]) -> Model:
        """Return the model that `Model.save` wrote; parse, check, then construct."""


@runtime_checkable
class Specialised(Protocol):
    """Ability of a learner: it is made for other kinds of tasks than the plain ones.

    Attributes
    ----------
    kinds : tuple of str
        It is offered tasks of these kinds alone, see `luban.core.task.Task.kind`.
    """

    kinds: tuple[str, ...]


class Graph(Protocol):
    """An ONNX graph under construction, as `Exportable` models see it."""

    def column(self, name: str) -> str:
        """Return the tensor of an input column, shape (n, 1).

        float32 (NaN where missing) for numbers; string ("" where missing) for categories, text and booleans
        ("true" / "false"); int64 microseconds since 1970 for dates (the smallest int64 where missing).
        """

    def constant(self, values: np.ndarray) -> str:
        """Return the name of a constant tensor."""

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node and return the name of its output, or a tuple of names where `outputs` > 1."""

    def prepared(self, preparation: Preparation) -> Mapping[str, str]:
        """Return the tensors that a preparation makes outside of the graph, by their names there.

        They become inputs of the graph, and the preparation travels in the same file. Equal preparations are kept once.
        """

    def subgraph(self, model: bytes, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """Add all nodes of a serialised ONNX model and return the names of its outputs.

        Parameters
        ----------
        inputs : mapping of str to str
            For each input of the model the tensor of this graph that it reads.
        """


@runtime_checkable
class Exportable(Protocol):
    """Ability of a model: it can be written as ONNX nodes."""

    def to_graph(self, graph: Graph) -> str:
        """Add the model to the graph and return the name of its float output.

        Shape (n, K) for classes, labels and quantiles, (n, 1) for regression, (n, L, K) for tokens.

        Raises
        ------
        Unsupported
            Naming the part that cannot be converted, and why.
        """


@runtime_checkable
class Explainable(Protocol):
    """Ability of a model: exact Shapley values."""

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base).

        values has shape (n, columns, outputs), base shape (outputs,): for each row their sum is the model's
        margin (log-odds for classes, the prediction itself for regression). One column an input column
        of the task, in order; outputs is 1 for binary tasks (the positive class).
        """


@runtime_checkable
class WarmingUp(Protocol):
    """Ability of what is Explainable: it tells how long its first contributions take besides the rows."""

    @property
    def warm_up(self) -> float:
        """Seconds, such as for the import of a library; 0 once that is done."""


@runtime_checkable
class TaskBound(Protocol):
    """Ability of a model: it tells the task that it was made for, and takes part in no ensemble of another one."""

    @property
    def task(self) -> Task:
        """What it was made for."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a fit would take, measured on a few steps of it.

    Parameters
    ----------
    seconds : float
        Of one pass over the rows, setting up included.
    memory : int
        Bytes at the worst moment.
    note : str
        In words what was measured.
    least : float, optional
        Seconds that a fit can make do with, where it learns from as many rows as it has time for.
    room : int, optional
        Bytes that there are on the device that would do the work; None where it is the machine's own memory.
    host : int
        Bytes of the machine's own memory that it takes as well where the work is done on another device.
    """

    seconds: float
    memory: int
    note: str = ""
    least: float | None = None
    room: int | None = None
    host: int = 0


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One of several ways in which a learner can fit, and what it would take or why it cannot be done."""

    parameters: Mapping[str, Any]
    forecast: Forecast | None = None
    reason: str = ""


@runtime_checkable
class Plannable(Protocol):
    """Ability of a learner: it can tell from a few probe steps what a fit would take."""

    def forecast(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Forecast | Unsuitable:
        """Return what a fit with these parameters would take, or why it cannot be done; within seconds."""


@runtime_checkable
class Comparing(Protocol):
    """Ability of a learner: from what it has measured it can tell what its other ways would take."""

    def alternatives(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        *,
        measured: Sequence[Alternative],
        effort: Effort,
    ) -> Sequence[Alternative]:
        """Return all ways that a search may try, but those that were measured.

        Parameters
        ----------
        measured : sequence of Alternative
            What `Plannable.forecast` told of some.
        effort : Effort
            Without time left they share the steps that were measured; with some, each is tried for a step or two.
        """


@runtime_checkable
class Preflight(Protocol):
    """Ability of a learner: it can look for what would spoil a fit before it begins."""

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what is wrong or worth knowing, each with its fix; a verdict of ``block`` forbids the fit."""


@runtime_checkable
class Attributing(Protocol):
    """Ability of a model: it can show which parts of one value a prediction rests on."""

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return for each row what to show: evidence drawn as ``spans`` or as a ``picture``, or bars of shares.

        Parameters
        ----------
        outputs : numpy.ndarray
            int64, shape (n,): for each row the place in its own flattened prediction that is explained; positive
            weights speak for it.
        effort : Effort
            Rows that its deadline leaves no time for have no evidence.
        """


@runtime_checkable
class Preparing(Protocol):
    """Ability of a model: some of the time of its fit went into what ``Effort.cache`` keeps for all later ones."""

    @property
    def kept_seconds(self) -> float:
        """Return how many seconds another fit on the same rows will not take again."""

    @property
    def rows_read(self) -> int | None:
        """Return how many rows it learnt from where there was no time for all of them to be read, else None."""


@runtime_checkable
class Recounting(Protocol):
    """Ability of a model: it tells how its fit went, step by step, as far as it was recorded when it was fitted."""

    @property
    def curves(self) -> Mapping[str, Sequence[tuple[int, float]]]:
        """Return (step, value) pairs by the name of a metric: steps ascend, two hundred points a curve at most.

        Those whose names end in ``_loss``, such as ``training_loss`` and ``validation_loss``, are drawn in one picture,
        each other one, such as ``learning_rate`` and ``rows_per_second``, in its own. ``loss`` is what it has told its
        ``report``, and is taken in place of that: it is whole where a fit went on from a checkpoint.
        """


@runtime_checkable
class Updatable(Protocol):
    """Ability of a model: it can go on learning from new rows."""

    def update(self, examples: Examples, *, replay: Examples | None = None, effort: Effort) -> Model:
        """Return a new model that has also learnt from `examples`, or this one where they teach it nothing.

        What lies before the kernel, such as an encoding, stays as it is.

        Parameters
        ----------
        examples : Examples
            New rows; in the order of time, where they have one.
        replay : Examples, optional
            A sample of the rows that it learnt from, for models that forget what they are not shown again.
        """


# --- search and checks --------------------------------------------------------------------------


@runtime_checkable
class Searcher(Protocol):
    """A strategy that walks a space (group ``luban.searchers``)."""

    def ask(self) -> tuple[int, Mapping[str, Any]] | None:
        """Return (number of the trial, parameters), or None when the space is exhausted."""

    def tell(self, trial: int, loss: float | None) -> None:
        """Report the loss of a trial; None where it failed or was pruned."""

    def prune(self, trial: int, step: int, loss: float) -> bool:
        """Report an intermediate loss; return whether the trial should stop."""


@runtime_checkable
class Metric(Protocol):
    """A figure of merit (group ``luban.metrics``), with scikit-learn's name where it has one."""

    name: str
    greater_is_better: bool
    kinds: tuple[str, ...]

    def __call__(
        self, task: Task, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """Return the score, in its natural sense, of `prediction` (as `Model.predict` gives it)."""


@runtime_checkable
class Check(Protocol):
    """A read-only examination (group ``luban.checks``)."""

    name: str

    def run(self, model: Any, examples: Examples, **options: Any) -> Report:
        """Examine a loaded model on examples and report."""


@runtime_checkable
class Exporter(Protocol):
    """A form a model can leave the house in (group ``luban.exporters``)."""

    def supports(self, model: Any) -> Suitable | Unsuitable:
        """Return whether the loaded model can be exported, and if not which part and why."""

    def export(
        self, model: Any, folder: str, examples: Examples | None = None, *, reference: str = "model/1"
    ) -> Mapping[str, Any]:
        """Write into `folder` and return ``{"path": ..., "parity": ...}`` and what else is worth knowing.

        `reference` is what the registry calls the model: ``name/version``.
        """


# --- work ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work for a worker process.

    Parameters
    ----------
    function : str
        ``"package.module:function"``; called as ``function(report, **arguments)`` where ``report(value)``
        sends a JSON value back while it runs and returns False when the job should stop.
    arguments : mapping
        JSON values only; bulk data travels in files.
    deadline : float, optional
        Value of `time.monotonic` (shared by all processes of a machine) after which the worker is killed.
    paths : bool
        Whether it may open files that are named in rows; an executor takes that away where `luban.core.paths` refuses
        it to whoever submits the job.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    paths: bool = True


DIED = "WorkerDied"
"""Type of a failure where the process that ran the job has ended, such as for want of memory."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """News of a job: ``progress`` (a reported value), ``finished`` (the result), ``failed``, ``killed``.

    The value of a failure is ``{"error": words, "type": name}``: the name of the error's class, or `DIED`.
    """

    job: int
    kind: str
    value: Any = None


@runtime_checkable
class Executor(Protocol):
    """Where jobs run (group ``luban.executors``).

    Attributes
    ----------
    workers : int
        How many jobs run at the same time.
    threads : int
        How many threads each of them may run.
    """

    workers: int
    threads: int

    def submit(self, job: Job) -> int:
        """Queue a job and return its number."""

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Yield events as they come, until `timeout` seconds have passed or no job is left."""

    def cancel(self, job: int) -> None:
        """Stop a job; its event is ``killed``."""

    def close(self) -> None:
        """Stop all workers."""


@runtime_checkable
class Warming(Protocol):
    """Ability of an executor: its workers can get ready before there is a job."""

    def warm(self, *modules: str) -> None:
        """Let every worker import these modules while it has no job, in this order; return at once."""


@runtime_checkable
class Detector(Protocol):
    """A drift detector (group ``luban.detectors``)."""

    def update(self, value: float) -> bool:
        """Take one value and return whether drift is found."""


@runtime_checkable
class Wire(Protocol):
    """A protocol that clients speak to a server (group ``luban.wires``)."""

    def routes(self, runtime: Any) -> Sequence[Any]:
        """Return the routes (Starlette) that answer from this runtime."""
