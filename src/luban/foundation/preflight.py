"""What would spoil a training, found in seconds before it begins, each with its fix."""

from __future__ import annotations

import time
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.core.errors import LubanError
from luban.core.preparation import Cutting, Inspecting
from luban.core.protocols import Examples
from luban.core.report import SEVERITY, Finding
from luban.foundation.heads.words import WORD_IDS, padded
from luban.foundation.setup import choose, set_up
from luban.foundation.training import device, state
from luban.foundation.training.memory import room
from luban.foundation.ways.structure import transformer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.preparation import Preparation
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work

SECONDS = 9.0
_INSPECTING, _SAMPLING = 5.0, 1.5
"""Seconds of them for the values of many rows, and for the tensors of some."""
_SHARE = 0.5
"""Where the look has an end, no more than this share of what is left goes into the values."""
_SAMPLE, _FEWEST = 512, 8
_TIGHT = 0.85


def preflight(
    backbone: Backbone,
    way: str,
    task: Task,
    columns: Sequence[str],
    training: Examples,
    validation: Examples | None,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
    memory: int | None = None,
) -> list[Finding]:
    """Return what is wrong or worth knowing before a training, the worst first, within ten seconds.

    Parameters
    ----------
    backbone : Backbone
        It is taken over, as by `adapt`: load another for the training.
    parameters : mapping
        As for `adapt`.
    memory : int, optional
        Bytes that may be used; by default what the machine or its container has, or the GPU where the work is there.

    Returns
    -------
    list of Finding
        A verdict of ``block`` says that the training cannot succeed.
    """
    begun = time.monotonic()
    found = [*labels(task, training, validation)]
    if not training.table.num_rows:
        return found
    try:
        chosen, options, settings, reading = choose(backbone, way, task, parameters)
        preparation = backbone.preparation(columns, **reading.options(task))
    except LubanError as error:
        return [*found, Finding(what=str(error), verdict="block", remedy=error.remedy or "Choose another way.")]
    if isinstance(preparation, Inspecting):
        allowed = min(_INSPECTING, SECONDS, _SHARE * effort.remaining)
        inspected = preparation.inspect(training.table, seconds=allowed)
        found += inspected
        if any(one.verdict == "block" for one in inspected):
            return _worst_first(found)
    few = _few(preparation, training)
    found += _tokens(backbone, preparation, few.table)
    if task.kind == "tokens":
        found += _cut_words(preparation, few)
    if any(one.verdict == "block" for one in found) or time.monotonic() - begun > SECONDS:
        return _worst_first(found)
    with device.threads(effort.threads), device.room_told():
        setup = set_up(
            backbone,
            chosen,
            task,
            columns,
            few,
            None,
            options=options,
            settings=settings,
            reading=reading,
            effort=effort,
        )
        found += _memory(setup.work, len(training.target), memory)
    return _worst_first(found)


def _worst_first(found: Sequence[Finding]) -> list[Finding]:
    return sorted(found, key=lambda one: -SEVERITY.index(one.verdict))


def _few(preparation: Preparation, training: Examples) -> Examples:
    """Return some of the rows: as many as become tensors in about a second, by what the first of them take."""
    begun = time.monotonic()
    preparation(training.table.slice(0, _FEWEST))
    each = max(1e-9, time.monotonic() - begun) / _FEWEST
    count = min(_SAMPLE, max(_FEWEST, int(_SAMPLING / each)))
    return Examples(table=training.table.slice(0, count), target=training.target[:count])


# --- labels -----------------------------------------------------------------------------------------


def labels(task: Task, training: Examples, validation: Examples | None) -> Iterator[Finding]:
    """Find what is wrong with the labels: none at all, masked away, of one class, of classes that are hardly there."""
    if not len(training.table):
        yield Finding(what="there is no row to learn from", verdict="block", remedy="Give rows with labels.")
        return
    if not task.classes or task.kind == "matching":
        return
    yield from _alike(task)
    counts = class_counts(task, training)
    if not counts.sum():
        yield Finding(
            what="no row bears a label: all of them are masked away",
            verdict="block",
            value=0.0,
            remedy="Give labels that are among the classes; negative codes such as -100 mean that there is none.",
        )
        return
    absent = [task.classes[code] for code in np.flatnonzero(counts == 0)]
    alone = [task.classes[code] for code in np.flatnonzero(counts == 1)]
    present = int((counts > 0).sum())
    if present < 2 and task.kind in {"binary", "multiclass", "tokens"}:
        yield Finding(
            what=f"only one class is among the training rows: {task.classes[int(counts.argmax())]!r}",
            verdict="block",
            value=present,
            threshold=2,
            remedy="Give rows of the other classes too.",
        )
    elif absent:
        yield Finding(
            what=f"{len(absent):,} of {len(task.classes):,} classes have no training row: {_listed(absent)}",
            verdict="warn",
            value=len(absent),
            threshold=0,
            remedy="They will never be predicted: give rows of them, or leave them out of the classes.",
        )
    if alone:
        yield Finding(
            what=f"{len(alone):,} classes have a single training row: {_listed(alone)}",
            verdict="warn",
            value=len(alone),
            threshold=0,
            remedy="Give at least some rows of each class, or join rare classes.",
        )
    if validation is not None and len(validation.table):
        strange = np.flatnonzero((class_counts(task, validation) > 0) & (counts == 0))
        if len(strange):
            yield Finding(
                what="validation rows bear labels that no training row has: "
                + _listed([task.classes[code] for code in strange]),
                verdict="warn",
                value=len(strange),
                remedy="Split the rows so that each class is on both sides.",
            )


def class_counts(task: Task, examples: Examples) -> np.ndarray:
    """Return how many rows (or words) bear each class, shape (K,)."""
    target = np.asarray(examples.target)
    if task.kind == "multilabel":
        return np.asarray(target.sum(axis=0), dtype=np.float64)
    codes = padded(target).ravel() if task.kind == "tokens" else target.astype(np.int64)
    return np.asarray(np.bincount(codes[codes >= 0], minlength=len(task.classes)), dtype=np.float64)


def _alike(task: Task) -> Iterator[Finding]:
    """Find labels that a person would take for the same."""
    same: dict[str, list[Any]] = {}
    for one in task.classes:
        same.setdefault(_plain(str(one)), []).append(one)
    doubled = [names for names in same.values() if len(names) > 1]
    if doubled:
        shown = "; ".join(" and ".join(repr(one) for one in names) for names in doubled[:3])
        yield Finding(
            what=f"labels differ by case or space only: {shown}",
            verdict="warn",
            value=len(doubled),
            threshold=0,
            remedy="If they mean the same, write them the same: luban data clean can do it.",
        )


def _plain(label: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


def _listed(labels: Sequence[Any]) -> str:
    shown = ", ".join(repr(one) for one in labels[:5])
    return shown if len(labels) <= 5 else f"{shown} and {len(labels) - 5} more"


# --- tokens -----------------------------------------------------------------------------------------


def _tokens(backbone: Backbone, preparation: Preparation, table: pa.Table) -> Iterator[Finding]:
    """Find token numbers that the weights know nothing of, and rows longer than the network has positions for."""
    found = transformer(backbone.body)
    if found is None or "input_ids" not in preparation.tensors or not len(table):
        return
    network = getattr(*found)
    ids = preparation(table)["input_ids"]
    rows = int(network.get_input_embeddings().weight.shape[0])
    largest = int(ids.max(initial=0))
    if largest >= rows:
        yield Finding(
            what=f"tokenizer and weights do not fit: token {largest:,} is beyond the {rows:,} rows of the weights",
            verdict="block",
            value=largest,
            threshold=rows - 1,
            remedy="Use the tokenizer that the weights were trained with: both must come from the same model.",
        )
    positions = getattr(network.config, "max_position_embeddings", None)
    if positions is not None and isinstance(preparation, Cutting) and ids.shape[1] > positions:
        yield Finding(
            what=f"texts of {ids.shape[1]:,} tokens are longer than the {positions:,} positions of the network",
            verdict="block",
            value=int(ids.shape[1]),
            threshold=int(positions),
            remedy=f"Set max_length to at most {positions}.",
        )


def _cut_words(preparation: Preparation, few: Examples) -> Iterator[Finding]:
    """Find words whose labels are lost because their text is cut off before them."""
    labels = padded(np.asarray(few.target))
    ids = preparation(few.table)[WORD_IDS]
    reached = ids.max(axis=1, initial=-1) + 1
    labelled = labels >= 0
    lost = labelled & (np.arange(labels.shape[1])[None, :] >= reached[:, None])
    if lost.any():
        share = float(lost.sum() / labelled.sum())
        yield Finding(
            what=f"{share:.1%} of the labelled words are cut off with the ends of their texts",
            verdict="block" if share == 1.0 else "warn" if share > 0.05 else "info",
            value=round(share, 4),
            threshold=0.05,
            remedy="Set a larger max_length, or split long texts.",
        )


# --- memory -----------------------------------------------------------------------------------------


def _memory(work: Work, rows: int, allowed: int | None) -> Iterator[Finding]:
    """Compare what a step needs with what there is."""
    taken, there = room(work.place.device)
    limit = there if allowed is None else allowed
    need = taken + needed(work, rows)
    if need <= _TIGHT * limit:
        return
    yield Finding(
        what=f"training needs about {need / 2**30:.1f} GiB of memory and there are {limit / 2**30:.1f} GiB",
        verdict="block" if need > limit else "warn",
        value=need,
        threshold=limit,
        remedy=f"Use a batch below {work.training.batch}, accumulate=4, checkpointing=true, a smaller max_length, "
        "or a way that trains fewer weights, such as lora or linear_probe.",
    )


def needed(work: Work, count: int) -> int:
    """Return the bytes that a step of the largest batch takes beside the weights: for gradients and for Adam.

    Of those that `work` has, one row of the longest length is computed and what it keeps for its gradient is counted.

    Parameters
    ----------
    count : int
        Rows that the training will have.
    """
    rows = work.examples.rows
    if not work.applied.parameters:
        return 0
    longest = rows.batch(np.array([int(rows.lengths.argmax())]))
    kept: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return value

    weights = {one.untyped_storage().data_ptr() for one in work.network.parameters()}
    state.learning_mode(work.network)
    # Two rows, as batch norms want; their values are counted in halves.
    pair = {name: torch.cat([one, one]) for name, one in longest.items()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        work.network(**work.place.put(pair)).nansum()
    work.network.eval()
    values = sum(size for place, size in kept.items() if place not in weights) // 2
    batch = -(-work.training.batch // work.training.accumulate)
    changing = sum(one.nbytes for one in state.changing(work.network).values())
    # Gradients, the two moments of Adam, and the best state.
    return int(values * min(batch, max(1, count)) + 4 * changing)
