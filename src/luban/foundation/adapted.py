"""An adapted backbone: predicts, is saved and loaded, and goes on to be exported."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, Unsupported
from luban.core.serial import from_json
from luban.core.task import Task
from luban.foundation import backbone as backbones
from luban.foundation import weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import torch

    from luban.core.preparation import Preparation
    from luban.foundation.backbone import Backbone
    from luban.foundation.network import Network
    from luban.foundation.training.work import Point

PROTOCOL = 1
_DESCRIPTION = "adapted.json"
_CHANGED = "changed.safetensors"
_FOLDER = "backbone/"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How columns are read, where not as the backbone reads them of itself.

    Parameters
    ----------
    max_length : int, optional
        Most tokens of a text.
    """

    max_length: int | None = None

    def options(self, task: Task) -> dict[str, Any]:
        """Return the settings for `Backbone.preparation`: where words bear labels, it must tell them apart."""
        given: dict[str, Any] = {name: value for name, value in asdict(self).items() if value is not None}
        return {**given, "words": True} if task.kind == "tokens" else given


@dataclass(kw_only=True)
class Adapted:
    """A backbone that was adapted to a task.

    Attributes
    ----------
    network : Network
        Body and head in evaluation mode: ``network(**tensors) -> margins``.
    preparation : Preparation
        From the columns to the tensors.
    changed : mapping of str to torch.Tensor
        The head, and what the way trained beside the body as it was.
    original : mapping of str to bytes, optional
        Payloads of the backbone as it was; None where its own weights were trained and are saved as they are.
    learned : mapping
        What a refit on more rows must be told, as parameters.
    training, augmentation : mapping
        How it was trained, with the rate that was taken; empty where an older release trained it.
    history : tuple of Point
        The curves.
    folding : str
        Whether what was added was folded into plain weights, in words.
    folds : bool
        Whether it was, and is again when it is loaded.
    notes : tuple of str
    """

    task: Task
    columns: tuple[str, ...]
    way: str
    options: Mapping[str, Any]
    reading: Reading
    backbone: Backbone
    network: Network
    preparation: Preparation
    changed: Mapping[str, torch.Tensor]
    original: Mapping[str, bytes] | None
    learned: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Point, ...] = ()
    notes: tuple[str, ...] = ()
    folding: str = ""
    folds: bool = False

    @property
    def module(self) -> torch.nn.Module:
        """Body and head for export: ``module(**tensors) -> margins``, at rest, with what was added folded in."""
        return self.network

    def margins(
        self, table: pa.Table, *, threads: int | None = None, batch: int = 64, until: float = math.inf
    ) -> np.ndarray:
        """Return the margins of the rows of a canonical table.

        Returns
        -------
        numpy.ndarray
            float64, shape (n, width); (n, W, K) for a label a word, NaN where a row has fewer words.

        Raises
        ------
        OutOfTime
            If `until` (a value of `time.monotonic`) came first.
        """
        import torch

        from luban.foundation.training import device
        from luban.foundation.training.evaluate import margins
        from luban.foundation.training.rows import Rows

        network, place = device.at_work(self.network)
        with device.threads(threads or torch.get_num_threads()):
            found = margins(network, Rows(self.preparation, table), place, batch=batch, until=until)
        result: np.ndarray = found.double().numpy()
        return result

    def save(self) -> Mapping[str, bytes]:
        """Return all that rebuilds it: JSON, safetensors and the files of its preparation."""
        description = {
            "protocol": PROTOCOL,
            "task": asdict(self.task),
            "columns": list(self.columns),
            "way": self.way,
            "options": self.options,
            "reading": asdict(self.reading),
            "folds": self.folds,
            "folding": self.folding,
            "learned": self.learned,
            "training": self.training,
            "augmentation": self.augmentation,
            "history": [asdict(one) for one in self.history],
            "notes": list(self.notes),
        }
        return {
            _DESCRIPTION: json.dumps(description, sort_keys=True, ensure_ascii=False).encode(),
            _CHANGED: weights.write(self.changed),
            **{_FOLDER + name: content for name, content in self.body().items()},
        }

    def body(self) -> Mapping[str, bytes]:
        """Return the payloads of the backbone: as it was, or as it was trained where its own weights were."""
        return self.backbone.save() if self.original is None else self.original


def load(payloads: Mapping[str, bytes], *, fold: bool = True) -> Adapted:
    """Return what `Adapted.save` wrote, without network.

    Parameters
    ----------
    fold : bool
        Whether what was added is folded into plain weights where it was after training.

    Raises
    ------
    InputError
        If a payload is missing or damaged.
    Unsupported
        If it was written by a later protocol.
    """
    import torch

    from luban.foundation.heads.objective import objective_for
    from luban.foundation.network import Network
    from luban.foundation.setup import find
    from luban.foundation.training.rows import Rows
    from luban.foundation.training.work import Point

    description = _description(payloads)
    task = from_json(Task, description["task"])
    way = find(description["way"])
    options: Any = from_json(way.options, description["options"])
    reading = from_json(Reading, description["reading"])
    inner = {name.removeprefix(_FOLDER): one for name, one in payloads.items() if name.startswith(_FOLDER)}
    backbone = backbones.load(inner)
    columns = tuple(description["columns"])
    preparation = backbone.preparation(columns, **reading.options(task))
    sample = Rows(preparation, example(columns, description.get("sample")))
    with torch.random.fork_rng(devices=[]):
        applied = way.apply(backbone, options, sample.batch(np.arange(1)))
        head = objective_for(task, None).head(backbone.dimension, 0.0)
    network = Network(applied.body, head)
    changed = weights.read(payloads[_CHANGED], name=f"the model adapted by {way.name}")
    fill(network, changed)
    network.eval()
    adapted = Adapted(
        task=task,
        columns=columns,
        way=way.name,
        options=asdict(options),
        reading=reading,
        backbone=backbone,
        network=network,
        preparation=preparation,
        changed=changed,
        original=None if way.rewrites else inner,
        learned=description["learned"],
        training=description.get("training", {}),
        augmentation=description.get("augmentation", {}),
        history=tuple(from_json(Point, one) for one in description["history"]),
        notes=tuple(description["notes"]),
        folding=description["folding"],
    )
    if fold and description["folds"]:
        applied.merge()
        network.eval()
        adapted.folds = True
    return adapted


def _description(payloads: Mapping[str, bytes]) -> dict[str, Any]:
    missing = {_DESCRIPTION, _CHANGED} - set(payloads)
    if missing:
        raise InputError("an adapted model lacks files", seen=", ".join(sorted(missing)))
    try:
        description: dict[str, Any] = json.loads(payloads[_DESCRIPTION])
        protocol = int(description["protocol"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("the description of an adapted model cannot be read", seen=repr(error)) from error
    if protocol > PROTOCOL:
        raise Unsupported(f"the model was written by protocol {protocol}", remedy="Update Luban.")
    return description


def example(columns: tuple[str, ...], given: Mapping[str, Any] | None = None) -> pa.Table:
    """Return one row for ways that must see the body at work: a missing value has defined tensors everywhere."""
    import pyarrow as pa

    values = given or {}
    return pa.table({name: pa.array([values.get(name)], type=pa.string()) for name in columns})


def fill(network: Network, changed: Mapping[str, torch.Tensor]) -> None:
    """Put the head and what was trained beside the body into the network.

    Raises
    ------
    InputError
        If they do not fit.
    """
    present = network.state_dict()
    strange = sorted(name for name in changed if name not in present or present[name].shape != changed[name].shape)
    due = {f"head.{name}" for name in network.head.state_dict()} - set(changed)
    if strange or due:
        raise InputError(
            "the weights of an adapted model do not fit it",
            seen=", ".join([*strange, *sorted(due)][:3]),
            remedy="Load the model from an undamaged copy, or fit it again.",
        )
    network.load_state_dict(dict(changed), strict=False)
