"""Typed payloads: JSON objects and arrays, read with every check that keeps damage out; never pickle."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Tampered

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEDY = "Load the model from an undamaged copy, or fit it again."


def damaged(name: str, seen: str) -> Tampered:
    """Return the error for a payload that is not what a learner wrote."""
    return Tampered(f"the payload {name} cannot be read", seen=seen[:200], remedy=_REMEDY)


def payload(payloads: Mapping[str, bytes], name: str) -> bytes:
    """Return one payload, or raise `Tampered` where it is missing."""
    if name not in payloads:
        raise damaged(name, f"there is only {', '.join(sorted(payloads)) or 'nothing'}")
    return payloads[name]


def under(payloads: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """Return the payloads whose names start with ``folder/``, without that prefix."""
    prefix = f"{folder}/"
    return {name.removeprefix(prefix): content for name, content in payloads.items() if name.startswith(prefix)}


def placed(folder: str, payloads: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the payloads with ``folder/`` before their names: the inverse of `under`."""
    return {f"{folder}/{name}": content for name, content in payloads.items()}


def write_json(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object as bytes that are the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def read_json(payloads: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """Return the JSON object in a payload, or raise `Tampered`."""
    try:
        value = json.loads(payload(payloads, name))
    except (ValueError, RecursionError) as error:
        raise damaged(name, str(error)) from error
    if not isinstance(value, dict):
        raise damaged(name, f"a {type(value).__name__} where an object was written")
    return value


def write_arrays(**arrays: np.ndarray) -> bytes:
    """Return arrays of numbers as an ``.npz`` archive."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


class Arrays:
    """The arrays of an ``.npz`` payload; each is checked as it is taken.

    Raises
    ------
    Tampered
        Where the archive cannot be read, or an array is missing or is not of the type and shape asked for.
    """

    def __init__(self, payloads: Mapping[str, bytes], name: str) -> None:
        self._name = name
        try:
            with np.load(io.BytesIO(payload(payloads, name)), allow_pickle=False) as archive:
                self._arrays = {key: archive[key] for key in archive.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
            raise damaged(name, str(error)) from error

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def take(self, key: str, dtype: str, shape: tuple[int | None, ...], *, finite: bool = True) -> np.ndarray:
        """Return an array of this type and shape (None: any size)."""
        array = self._arrays.get(key)
        if not isinstance(array, np.ndarray):
            raise damaged(self._name, f"no array {key!r}")
        fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
        if array.dtype != np.dtype(dtype) or not fits:
            raise damaged(self._name, f"{key!r} has type {array.dtype} and shape {array.shape}, not {dtype} {shape}")
        if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise damaged(self._name, f"{key!r} holds values that are not finite")
        return array

    def indices(self, key: str, shape: tuple[int | None, ...], *, least: int, below: int) -> np.ndarray:
        """Return an int64 array of whole numbers in [least, below)."""
        array = self.take(key, "int64", shape)
        if array.size and not (least <= array.min() and array.max() < below):
            raise damaged(self._name, f"{key!r} points outside [{least}, {below})")
        return array
