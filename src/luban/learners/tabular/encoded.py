"""What the learners of tables share: an encoding in front, and a kernel that knows only a matrix of numbers."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from luban.core.errors import InputError, LubanError
from luban.core.protocols import WarmingUp
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.learners import link
from luban.learners.payloads import damaged, placed, read_json, under, write_json
from luban.modalities.tabular.options import EncodingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.modalities.tabular.encoding import Encoding

_KEPT = 6
_OPTIONS = tuple(field.name for field in fields(EncodingOptions))


class Kernel(Protocol):
    """What was learnt over a float32 matrix of features."""

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the margins (see `luban.learners.link`), shape (n, width)."""

    def save(self) -> Mapping[str, bytes]:
        """Return the payloads."""

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the nodes from the tensor of features to the tensor of margins."""


class ExplainableKernel(Kernel, Protocol):
    """A kernel that knows how much each feature adds to the margins."""

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, features, width) and (width,)."""


@dataclass(frozen=True, kw_only=True)
class EncodedModel:
    """A kernel behind an encoding: a `luban.core.protocols.Model` that is also Exportable."""

    learner: str
    task: Task
    encoding: Encoding
    kernel: Kernel
    learned: Mapping[str, Any]

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions, see `luban.core.protocols.Model.predict`."""
        features = self.encoding.transform(table)
        # Libraries disagree on what no rows are: some fail, some forget the width.
        margins = self.kernel.margins(features) if len(features) else np.zeros((0, link.width(self.task)))
        return link.predictions(self.task, margins)

    def save(self) -> Mapping[str, bytes]:
        """Return the typed payloads, by file name."""
        about = {"learner": self.learner, "task": to_json(self.task), "learned": to_json(self.learned)}
        return {"model.json": write_json(about), **placed("encoding", self.encoding.save()), **self.kernel.save()}

    def to_graph(self, graph: Graph) -> str:
        """Add encoding, kernel and link to the graph; return the predictions, shape (n, outputs)."""
        margin = self.kernel.to_graph(graph, self.encoding.to_graph(graph))
        return link.predictions_to_graph(self.task, graph, margin)


@dataclass(frozen=True, kw_only=True)
class ExplainableModel(EncodedModel):
    """An encoded model whose kernel can explain itself."""

    kernel: ExplainableKernel

    @property
    def warm_up(self) -> float:
        """Seconds that the first contributions take besides the rows, such as for the import of a library."""
        return self.kernel.warm_up if isinstance(self.kernel, WarmingUp) else 0.0

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base), shapes (n, columns, width) and (width,).

        What a feature adds counts for the input column behind it, in equal parts where several are.
        """
        features = self.encoding.transform(table)
        if not len(features):  # the base is that of any row
            values, base = self.kernel.contributions(np.zeros((1, features.shape[1]), dtype=np.float32))
            return np.zeros((0, len(self.task.inputs), values.shape[2])), base
        values, base = self.kernel.contributions(features)
        folded = np.zeros((len(values), len(self.task.inputs), values.shape[2]))
        for feature, sources in enumerate(self.encoding.sources):
            for column in sources:
                folded[:, column] += values[:, feature] / len(sources)
        # A feature without a column behind it is no column's doing: it stays in the base only if it is constant.
        orphans = [feature for feature, sources in enumerate(self.encoding.sources) if not sources]
        if orphans:
            folded += values[:, orphans].sum(axis=1, keepdims=True) / len(self.task.inputs)
        return folded, base


def split_parameters(
    parameters: Mapping[str, Any], defaults: Mapping[str, Any], options: EncodingOptions
) -> tuple[dict[str, Any], EncodingOptions]:
    """Return the learner's own parameters over their defaults, and the encoding's options.

    Parameters
    ----------
    parameters : mapping
        A name that is a field of `EncodingOptions` belongs to the encoding, every other to the learner.

    Raises
    ------
    InputError
        For a name that is neither.
    """
    own = dict(defaults)
    changes: dict[str, Any] = {}
    for name, value in parameters.items():
        if name in defaults:
            own[name] = value
        elif name in _OPTIONS:
            changes[name] = tuple(value) if isinstance(value, list) else value
        else:
            known = ", ".join([*defaults, *_OPTIONS])
            raise InputError(f"there is no parameter {name!r}", seen=repr(value), remedy=f"Known are: {known}.")
    return own, replace(options, **changes)


class _Recent:
    """The latest few encodings of this process, so that learners tried on the same rows encode them once.

    The key holds the identity of tables and arrays; an entry dies with the objects that it was made of.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[Any, ...], tuple[tuple[weakref.ref[Any], ...], Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, objects: tuple[Any, ...], key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        full = (*map(id, objects), *key)
        with self._lock:
            entry = self._entries.get(full)
            if entry is not None and all(ref() is thing for ref, thing in zip(entry[0], objects, strict=True)):
                self._entries.move_to_end(full)
                return entry[1]
        made = make()
        with self._lock:
            self._entries[full] = tuple(map(weakref.ref, objects)), made
            dead = [name for name, (refs, _) in self._entries.items() if any(ref() is None for ref in refs)]
            for name in dead:
                del self._entries[name]
            while len(self._entries) > _KEPT:
                self._entries.popitem(last=False)
        return made


_recent = _Recent()


def encode(
    task: Task, schema: Schema, training: Examples, validation: Examples | None, options: EncodingOptions, seed: int
) -> tuple[Encoding, np.ndarray, np.ndarray | None]:
    """Return the fitted encoding, the matrix of the training rows and that of the validation rows.

    The matrices are shared between learners and must not be written to.
    """
    from luban.modalities.tabular.fit import fit_encoding

    key = (repr(task), repr(asdict(options)), seed)

    def fitted() -> tuple[Encoding, np.ndarray]:
        encoding, matrix = fit_encoding(training.table, schema, task, training.target, options, seed)
        matrix.flags.writeable = False
        return encoding, matrix

    encoding, matrix = _recent.get((training.table, training.target), key, fitted)
    if validation is None:
        return encoding, matrix, None
    table = validation.table
    held_out = _recent.get((encoding, table), ("transform",), lambda: encoding.transform(table))
    return encoding, matrix, held_out


def read_model(
    learner: str, payloads: Mapping[str, bytes], kernel: Callable[[Task, int], Kernel], kind: type[EncodedModel]
) -> Any:
    """Return the model in the payloads.

    Parameters
    ----------
    kernel : callable
        From the task and the number of features to the kernel, checked.

    Raises
    ------
    Tampered
        If anything is missing, damaged or does not fit together.
    """
    from luban.modalities.tabular.encoding import Encoding

    about = read_json(payloads, "model.json")
    if about.get("learner") != learner or not isinstance(about.get("learned"), dict):
        raise damaged("model.json", f"written by {about.get('learner')!r}, read by {learner!r}")
    try:
        task = from_json(Task, about.get("task"))
    except LubanError as error:
        raise damaged("model.json", str(error)) from error
    encoding = Encoding.load(under(payloads, "encoding"))
    return kind(
        learner=learner,
        task=task,
        encoding=encoding,
        kernel=kernel(task, len(encoding.names)),
        learned=about["learned"],
    )
