"""Frozen features: the vectors that a backbone gives the rows of a column, computed once and kept."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError, LubanError, OutOfTime
from luban.foundation.cache import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

    from luban.core.budget import Effort
    from luban.core.preparation import Preparation
    from luban.foundation.backbone import Backbone

Part = TypeVar("Part")
Made = TypeVar("Made")
_VALUE = "value"


@dataclass(frozen=True, kw_only=True)
class Features:
    """The vectors of n values.

    Attributes
    ----------
    values : numpy.ndarray
        float32, shape (n, d); zeros where a value is missing, broken or was not reached in time.
    present : numpy.ndarray
        bool, shape (n,): whether the row has a vector.
    """

    values: np.ndarray
    present: np.ndarray


def features(
    backbone: Backbone,
    table: pa.Table,
    column: str,
    *,
    effort: Effort,
    batch: int = 32,
    quick: bool = False,
    partial: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Features:
    """Return the frozen features of one column, from the cache where they are there.

    Equal values are computed once, in batches of similar length.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical.
    effort : Effort
        Its deadline, threads and cache are kept to.
    batch : int
        Rows computed at once.
    quick : bool
        Compute in bfloat16 where the processor has it, 2.5 times as quick: for rows to learn from. What answers people
        computes in float32, as the exported model does.
    partial : bool
        Return what is ready at the deadline rather than raise.
    progress : callable, optional
        Called as ``progress(done, all)`` with numbers of values after each batch.

    Raises
    ------
    OutOfTime
        If the deadline came before all were ready and `partial` is not set; what was computed stays in the cache.
    """
    from luban.foundation.training import device

    # Under one name for all columns, so that equal values of two columns share their vectors.
    preparation = backbone.preparation((_VALUE,))
    values = table.column(column).combine_chunks()
    contents, sizes = _contents(backbone.card.kind, values)
    present = np.array([one is not None for one in contents], dtype=bool)
    keys = [one for one in contents if one is not None]
    places = {key: i for i, key in reversed(list(enumerate(contents))) if key is not None}
    unique = list(dict.fromkeys(keys))
    vectors = np.zeros((len(unique), backbone.dimension), dtype=np.float32)
    ready = np.zeros(len(unique), dtype=bool)
    short = quick and _has_bfloat16(device.processor())
    shelf = None if effort.cache is None or not unique else _shelf(effort.cache, backbone, preparation, short)
    if shelf is not None:
        vectors, ready = shelf.get(unique)
    todo = sorted(np.flatnonzero(~ready).tolist(), key=lambda i: (sizes[places[unique[i]]], i))

    def work(chosen: list[int]) -> tuple[list[int], np.ndarray, bool]:
        if effort.expired:
            return [], vectors[:0], True
        rows = values.take(pa.array([places[unique[i]] for i in chosen]))
        good, made = _encoded(backbone, preparation, rows, short)
        return [chosen[place] for place in good], made, False

    parts = [todo[start : start + batch] for start in range(0, len(todo), batch)]
    done, late = 0, False
    for part, (good, made, skipped) in zip(parts, _in_threads(work, parts, effort.threads), strict=True):
        late |= skipped
        vectors[good] = made
        ready[good] = True
        if shelf is not None and good:
            shelf.put([unique[i] for i in good], made)
        done += 0 if skipped else len(part)
        if progress is not None:
            progress(done, len(todo))
    if late and not partial:
        raise OutOfTime(
            f"the time was up after {done:,} of {len(todo):,} values of {column!r} had been read",
            remedy="Give more time: what was computed is kept and will not be computed again.",
        )
    place = {key: i for i, key in enumerate(unique)}
    index = np.array([place[one] if one is not None else -1 for one in contents], dtype=np.int64)
    result = np.zeros((len(contents), backbone.dimension), dtype=np.float32)
    result[present] = vectors[index[present]]
    present[present] = ready[index[present]]
    return Features(values=result, present=present)


def kept(backbone: Backbone, table: pa.Table, column: str, *, cache: str, quick: bool) -> np.ndarray:
    """Return for each row whether the cache has its features, so that they take no time; bool of shape (n,).

    Parameters
    ----------
    quick : bool
        As in `features`. A missing value, which needs none, counts as kept.
    """
    from luban.foundation.training import device

    contents, _ = _contents(backbone.card.kind, table.column(column).combine_chunks())
    short = quick and _has_bfloat16(device.processor())
    shelf = _shelf(cache, backbone, backbone.preparation((_VALUE,)), short)
    known = shelf.has([one for one in contents if one is not None])
    found = np.ones(len(contents), dtype=bool)
    found[[place for place, one in enumerate(contents) if one is not None]] = known
    return found


def encode(backbone: Backbone, preparation: Preparation, rows: pa.Table, short: bool = False) -> np.ndarray:
    """Return the pooled vectors of some rows, float32 of shape (n, d); computed in bfloat16 where `short`.

    They are computed where training computes.
    """
    import torch

    from luban.foundation.training import device

    place = device.Place(device.processor())
    body = device.on(backbone.body, place.device)
    with torch.inference_mode(), device.arithmetic(place.device, "bfloat16" if short else "float32"):
        tensors = place.put({name: torch.from_numpy(one) for name, one in preparation(rows).items()})
        pooled: np.ndarray = body(**tensors).pooled.float().cpu().numpy()
    if not np.isfinite(pooled).all():
        raise InputError(
            f"the backbone {backbone.card.name} gives vectors that are no numbers",
            remedy="Its weights are damaged or too large for the arithmetic: choose another backbone.",
        )
    return pooled


def _shelf(cache: str, backbone: Backbone, preparation: Preparation, short: bool) -> Shelf:
    from luban.foundation.training import device

    name = _shelf_name(backbone, preparation) + ("-bfloat16" if short else "") + _elsewhere(device.processor())
    return Shelf(Path(cache) / "features" / name, backbone.dimension)


def _elsewhere(processor: torch.device) -> str:
    """Return what keeps vectors of another kind of device apart, whose convolutions round more coarsely."""
    return "" if processor.type == "cpu" else f"-{processor.type}"


def _has_bfloat16(processor: torch.device) -> bool:
    import torch

    from luban.foundation.training import device

    if processor.type != "cpu":
        return device.may_be_faster(processor)
    return bool(torch.cpu._is_avx512_bf16_supported())


def _encoded(
    backbone: Backbone, preparation: Preparation, values: pa.Array, short: bool
) -> tuple[list[int], np.ndarray]:
    """Return (places that could be prepared, their vectors); one broken value does not spoil its batch."""
    try:
        return list(range(len(values))), encode(backbone, preparation, pa.table({_VALUE: values}), short)
    except InputError:
        if len(values) == 1:
            if _readable(preparation, values):
                raise  # the backbone is to blame, not the value
            return [], np.zeros((0, backbone.dimension), dtype=np.float32)
    good = [place for place in range(len(values)) if _readable(preparation, values.slice(place, 1))]
    if not good:
        return [], np.zeros((0, backbone.dimension), dtype=np.float32)
    return good, encode(backbone, preparation, pa.table({_VALUE: values.take(pa.array(good))}), short)


def _readable(preparation: Preparation, values: pa.Array) -> bool:
    try:
        preparation(pa.table({_VALUE: values}))
    except InputError:
        return False
    return True


def pair_features(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return what tells how two vectors a row relate: [u, v, |u - v|, u * v] (Conneau et al. 2017), shape (n, 4 d)."""
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1 along the last axis; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12))


def _contents(kind: str, values: pa.Array) -> tuple[list[bytes | None], list[int]]:
    """Return the digest of each value's content (None where missing or unreadable), and its size."""
    digests: list[bytes | None] = []
    sizes: list[int] = []
    for value in values.to_pylist():
        content = None if not value else _content(kind, value)
        digests.append(None if content is None else hashlib.sha256(content).digest())
        sizes.append(0 if content is None else len(content))
    return digests, sizes


def _content(kind: str, value: str) -> bytes | None:
    if kind == "text":
        return value.encode("utf-8", "surrogatepass")
    from luban.data.media import content

    try:
        read: bytes = content(value)
    except LubanError:
        return None
    return read


def _shelf_name(backbone: Backbone, preparation: Preparation) -> str:
    total = hashlib.sha256(backbone.digest.encode())
    for name, content in sorted(preparation.save().items()):
        total.update(f"\0{name}\0{len(content)}\0".encode())
        total.update(content)
    return f"{backbone.card.kind}-{total.hexdigest()[:32]}"


def _in_threads(work: Callable[[Part], Made], parts: Sequence[Part], count: int) -> Iterator[Made]:
    """Yield ``work(part)`` for each part, with `count` parts in work at once.

    Each part runs on one thread of its own. That is quicker than all threads on one part: nothing waits for a
    slower neighbour after every layer, which costs most where other processes want the processors too.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if count <= 1 or len(parts) <= 1:
            yield from map(work, parts)
            return
        # One setting a thread: PyTorch keeps the number of threads for each of them.
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(work, parts)
    finally:
        torch.set_num_threads(before)
