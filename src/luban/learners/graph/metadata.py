"""The preparations of a graph, as they travel in the metadata properties of its file."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.errors import InputError, LubanError, Tampered
from luban.core.serial import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.preparation import Preparation

KEY = "luban.preparations"
LARGEST = 1 << 30
"""Bytes that the payloads of one preparation may have when they are unpacked."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A preparation that stands before a graph.

    Parameters
    ----------
    preparation : Preparation
    inputs : mapping of str to str
        For each tensor that it makes the input of the graph that takes it.
    """

    preparation: Preparation
    inputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Written:
    name: str
    columns: tuple[str, ...]
    inputs: Mapping[str, str]
    payloads: Mapping[str, str]


def written(prepared: Sequence[Prepared]) -> str:
    """Return preparations as JSON: payloads are deflated (RFC 1950) and in base64."""
    return json.dumps(
        [
            to_json(
                _Written(
                    name=one.preparation.name,
                    columns=tuple(one.preparation.columns),
                    inputs=dict(one.inputs),
                    payloads={name: _pack(content) for name, content in sorted(one.preparation.save().items())},
                )
            )
            for one in prepared
        ],
        sort_keys=True,
    )


def read(text: str) -> tuple[Prepared, ...]:
    """Return the preparations that `written` wrote, each loaded by its entry point in ``luban.preparations``.

    Raises
    ------
    Tampered
        If the text is not what was written.
    NotFound, MissingExtra
        If a preparation is not installed, or needs packages that are not.
    """
    try:
        listed = from_json(tuple[_Written, ...], json.loads(text))
    except (ValueError, RecursionError, InputError) as error:
        raise _damaged(str(error)) from error
    return tuple(_loaded(one) for one in listed)


def properties(model: Any) -> dict[str, str]:
    """Return the metadata properties of an ``onnx.ModelProto``."""
    return {one.key: one.value for one in model.metadata_props}


def _loaded(one: _Written) -> Prepared:
    payloads = {name: _unpack(content) for name, content in one.payloads.items()}
    try:
        preparation: Preparation = plugins.load("preparations", one.name).load(payloads)
    except InputError as error:
        raise _damaged(str(error)) from error
    if tuple(preparation.columns) != one.columns or set(preparation.tensors) != set(one.inputs):
        raise _damaged(f"{one.name} makes {sorted(preparation.tensors)} of {list(preparation.columns)}")
    return Prepared(preparation=preparation, inputs=one.inputs)


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _unpack(text: str) -> bytes:
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.b64decode(text, validate=True), LARGEST)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise _damaged(str(error)) from error
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise _damaged("a payload that is too large, or not whole")
    return content


def _damaged(seen: str) -> LubanError:
    return Tampered(
        "the preparations in the graph cannot be read",
        seen=seen[:200],
        remedy="Load the model from an undamaged copy, or export it again.",
    )
