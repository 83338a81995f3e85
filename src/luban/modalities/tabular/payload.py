"""Typed payloads: a tree of parameters as JSON, and its arrays in the safetensors layout.

The arrays' file is eight bytes (little-endian length of the header), a JSON header that gives each array its
``dtype``, ``shape`` and ``data_offsets``, then the raw little-endian values: the layout of safetensors
(https://huggingface.co/docs/safetensors). Reading it runs no code and allocates no more than the file holds.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Tampered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8")}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}


class Writer:
    """Collects the arrays that a tree of parameters refers to by key."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, array: np.ndarray) -> str:
        """Keep an array (float32, float64 or int64) and return the key to it."""
        key = str(len(self.arrays))
        self.arrays[key] = np.ascontiguousarray(array)
        return key


class Reader:
    """One node of a saved tree of parameters; what it returns has been checked.

    Every method raises `Tampered` where the value is missing or is not what is asked for.
    """

    def __init__(
        self, node: Any, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int], where: str = "encoding"
    ) -> None:
        self.where = where
        self._arrays = arrays
        self._sizes = sizes
        if not isinstance(node, dict):
            raise self.wrong("it must be an object")
        self._node = node

    def wrong(self, what: str) -> Tampered:
        """Return the error that says what is wrong with this node."""
        return Tampered(
            "the saved encoding cannot be read",
            seen=f"{self.where}: {what}",
            remedy="Load the model from an undamaged copy, or fit it again.",
        )

    def _get(self, key: str) -> Any:
        if key not in self._node:
            raise self.wrong(f"{key!r} is missing")
        return self._node[key]

    def text(self, key: str, allowed: Sequence[str] = ()) -> str:
        """Return a string, one of `allowed` where that is given."""
        value = self._get(key)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise self.wrong(f"{key!r} holds {value!r:.60}")
        return value

    def whole(self, key: str, least: int = 0) -> int:
        """Return a whole number that is at least `least`."""
        value = self._get(key)
        if type(value) is not int or not least <= value < 2**62:
            raise self.wrong(f"{key!r} holds {value!r:.60}")
        return value

    def flag(self, key: str) -> bool:
        """Return a boolean."""
        value = self._get(key)
        if not isinstance(value, bool):
            raise self.wrong(f"{key!r} holds {value!r:.60}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(f"{key!r} must be a list of strings")
        return tuple(value)

    def lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """Return a list of lists of strings."""
        value = self._get(key)
        if not isinstance(value, list):
            raise self.wrong(f"{key!r} must be a list")
        return tuple(Reader({key: item}, self._arrays, self._sizes, self.where).texts(key) for item in value)

    def children(self, key: str) -> tuple[Reader, ...]:
        """Return a list of nodes."""
        value = self._get(key)
        if not isinstance(value, list):
            raise self.wrong(f"{key!r} must be a list")
        return tuple(
            Reader(item, self._arrays, self._sizes, f"{self.where}.{key}[{i}]") for i, item in enumerate(value)
        )

    def knowing(self, sizes: Mapping[str, int]) -> Reader:
        """Return the same node, told how many codes each category column has."""
        return Reader(self._node, self._arrays, sizes, self.where)

    def vocabulary_size(self, name: str) -> int:
        """Return how many codes a category column has."""
        if name not in self._sizes:
            raise self.wrong(f"there is no vocabulary for {name!r}")
        return self._sizes[name]

    def array(self, key: str, dtype: str, shape: tuple[int | None, ...], *, finite: bool = True) -> np.ndarray:
        """Return an array of this type and shape (None: any size)."""
        name = self._get(key)
        array = self._arrays.get(name) if isinstance(name, str) else None
        if array is None:
            raise self.wrong(f"{key!r} names no array")
        fits = len(array.shape) == len(shape) and all(
            b is None or a == b for a, b in zip(array.shape, shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            raise self.wrong(f"{key!r} has type {array.dtype} and shape {array.shape}, not {dtype} and {shape}")
        if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise self.wrong(f"{key!r} holds values that are not finite")
        return array

    def indices(self, key: str, shape: tuple[int | None, ...], below: int) -> np.ndarray:
        """Return an int64 array of indices in [0, below)."""
        array = self.array(key, "int64", shape)
        if array.size and (array.min() < 0 or array.max() >= below):
            raise self.wrong(f"{key!r} points outside [0, {below})")
        return array


def write(tree: Any, writer: Writer) -> dict[str, bytes]:
    """Return the payloads of a tree of parameters and the arrays it refers to."""
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    offset = 0
    for key, array in writer.arrays.items():
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        data = little.tobytes()
        header[key] = {
            "dtype": _NAMES[little.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        parts.append(data)
        offset += len(data)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return {
        "encoding.json": json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(),
        "encoding.safetensors": b"".join([len(head).to_bytes(8, "little"), head, *parts]),
    }


def read(payloads: Mapping[str, bytes]) -> Reader:
    """Return the root of the tree that `write` wrote.

    Raises
    ------
    Tampered
        If a payload is missing or damaged.
    """
    missing = {"encoding.json", "encoding.safetensors"} - set(payloads)
    if missing:
        raise Tampered("the saved encoding is incomplete", seen=f"no {min(missing)}")
    return Reader(_json(payloads["encoding.json"]), _arrays(payloads["encoding.safetensors"]), {})


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Tampered("the saved encoding is no JSON", seen=str(error)) from error


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise Tampered("the arrays of the encoding are cut short", seen=f"{len(data)} bytes")
    header = _json(data[8 : 8 + size])
    if not isinstance(header, dict):
        raise Tampered("the header of the encoding's arrays is no object", seen=repr(header)[:60])
    body = memoryview(data)[8 + size :]
    return {str(key): _array(key, entry, body) for key, entry in header.items()}


def _array(key: str, entry: Any, body: memoryview) -> np.ndarray:
    damaged = Tampered("an array of the encoding is damaged", seen=f"array {key}: {entry!r:.100}")
    if not isinstance(entry, dict):
        raise damaged
    dtype, shape, span = _TYPES.get(str(entry.get("dtype"))), _wholes(entry, "shape"), _wholes(entry, "data_offsets")
    if dtype is None or shape is None or span is None or len(span) != 2:
        raise damaged
    start, end = span
    if not start <= end <= len(body) or math.prod(shape) * dtype.itemsize != end - start:
        raise damaged
    values: np.ndarray = np.frombuffer(body[start:end], dtype=dtype)
    return values.astype(dtype.newbyteorder("=")).reshape(shape)


def _wholes(entry: dict[str, Any], key: str) -> list[int] | None:
    value = entry.get(key)
    sound = isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
    return value if sound else None
