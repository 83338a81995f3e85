"""A model on disk: a manifest in JSON and typed payloads, each a blob named by its digest.

Reading goes in three steps, as skops does it: parse the manifest, audit what it lists, construct.
Nothing on this way runs code from the files: there is no pickle, and learners come from the plug-in table alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from luban.core.errors import InputError, LubanError, Tampered, Unsupported
from luban.core.serial import from_json, to_json
from luban.learners import composite
from luban.learners.fitted import Fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.model import Signature
    from luban.core.task import Task

PROTOCOL = 1
MEDIA_TYPES: Mapping[str, str] = {
    ".json": "application/json",
    ".npz": "application/x-npz",
    ".safetensors": "application/vnd.safetensors",
    ".txt": "text/plain; charset=utf-8",
    ".cbm": "application/vnd.catboost",
    ".ubj": "application/ubjson",
    ".onnx": "application/onnx",
}
"""What a payload may be, by the suffix of its name."""

LARGEST = 4 << 30
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")


class Blobs(Protocol):
    """Content by digest, as `luban.store.Blobs` offers it."""

    def put(self, content: bytes) -> str:
        """Store content and return its digest."""

    def put_json(self, value: Any) -> str:
        """Store a JSON value and return its digest."""

    def get(self, digest: str) -> bytes:
        """Return content, verified."""

    def get_json(self, digest: str) -> Any:
        """Return a JSON value, verified."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """One blob of a model: its digest, its size before compression, its media type, and the compression."""

    digest: str
    size: int
    media_type: str
    coding: str | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """One member of the ensemble, for those who read the manifest."""

    learner: str
    weight: float
    learned: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that a model consists of.

    Parameters
    ----------
    protocol : int
        Of this format; readers know all up to their own.
    luban : str
        The version that wrote it.
    parity : float, optional
        Largest difference between the ONNX graph and the Python path, on real rows.
    payloads : mapping of str to Payload
        What `Composite.save` gave.
    extra : mapping of str to Payload
        What else was stored with the model: ``model.onnx``.
    """

    protocol: int
    luban: str
    task: Task
    signature: Signature
    parts: tuple[Part, ...]
    payloads: Mapping[str, Payload]
    extra: Mapping[str, Payload] = field(default_factory=dict)
    parity: float | None = None


def write(
    blobs: Blobs, fitted: Fitted, *, extra: Mapping[str, bytes] | None = None, parity: float | None = None
) -> str:
    """Store a model and return the digest of its manifest; equal models have equal digests.

    Parameters
    ----------
    extra : mapping of str to bytes, optional
        Further payloads to keep with the model: ``{"model.onnx": ...}``.
    parity : float, optional
        Measured between ``model.onnx`` and the model.

    Raises
    ------
    Unsupported
        If a learner's payload is of a type that may not be stored.
    """
    from luban.version import __version__

    model = fitted.model
    manifest = Manifest(
        protocol=PROTOCOL,
        luban=__version__,
        task=fitted.task,
        signature=fitted.signature,
        parts=tuple(
            Part(learner=member.learner, weight=float(share), learned=dict(member.learned))
            for member, share in zip(model.members, model.shares, strict=True)
        ),
        payloads={name: _put(blobs, name, content) for name, content in sorted(model.save().items())},
        extra={name: _put(blobs, name, content) for name, content in sorted((extra or {}).items())},
        parity=parity,
    )
    return blobs.put_json(to_json(manifest))


def read(blobs: Blobs, digest: str) -> Fitted:
    """Return the model whose manifest has this digest.

    Raises
    ------
    Tampered
        If a byte of the manifest or of a payload is not what was written.
    Unsupported
        If a newer version of Luban wrote it.
    NotFound, MissingExtra
        If a blob or a learner is not there.
    """
    manifest = read_manifest(blobs, digest)
    model = composite.load({name: _get(blobs, name, one) for name, one in manifest.payloads.items()})
    if model.task != manifest.task or [member.learner for member in model.members] != [
        part.learner for part in manifest.parts
    ]:
        raise _apart(digest)
    fitted = Fitted(task=manifest.task, signature=manifest.signature, model=model)
    return replace(fitted, manifest=to_json(manifest))


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A model whose bytes were verified, and whose Python form is made when it is asked for.

    Parameters
    ----------
    task : Task
    signature : Signature
    threshold : float, optional
        At which its probabilities are decided.
    manifest : mapping
    load : callable
        Returns the model, as `read` does; the bytes are read and verified again.
    """

    task: Task
    signature: Signature
    threshold: float | None
    manifest: Mapping[str, Any]
    load: Callable[[], Fitted]


def verified(blobs: Blobs, digest: str) -> Stored:
    """Return a model that may never be needed in its Python form: every byte is verified, no member is made.

    Raises
    ------
    Tampered, Unsupported, NotFound
        As `read`.
    """
    manifest = read_manifest(blobs, digest)
    about = None
    for name, one in manifest.payloads.items():
        content = _get(blobs, name, one)
        if name == composite.ABOUT:
            about = composite.read_about({name: content})
    if about is None or about.task != manifest.task or about.learners != tuple(one.learner for one in manifest.parts):
        raise _apart(digest)
    return Stored(
        task=manifest.task,
        signature=manifest.signature,
        threshold=about.threshold,
        manifest=to_json(manifest),
        load=partial(read, blobs, digest),
    )


def threshold(blobs: Blobs, digest: str) -> float | None:
    """Return at which probability a model decides, where it has one; no member of it is read.

    Raises
    ------
    Tampered, Unsupported, NotFound
        As `read`.
    """
    about = read_manifest(blobs, digest).payloads.get(composite.ABOUT)
    if about is None:
        raise _apart(digest)
    return composite.read_about({composite.ABOUT: _get(blobs, composite.ABOUT, about)}).threshold


def _apart(digest: str) -> Tampered:
    return Tampered("the manifest and the payloads of the model do not belong together", seen=digest)


def read_manifest(blobs: Blobs, digest: str) -> Manifest:
    """Return a manifest, parsed and audited; no payload is read.

    Raises
    ------
    Tampered, Unsupported, NotFound
        As `read`.
    """
    content = blobs.get_json(digest)
    protocol = content.get("protocol") if isinstance(content, dict) else None
    if not isinstance(protocol, int) or protocol < 1:
        raise Tampered("this is not the manifest of a model", seen=digest)
    if "foreign" in content:
        raise Unsupported(
            "this model is one of MLflow's: Luban keeps its files and gives them back, but never loads them, since they"
            " may hold pickle",
            seen=digest,
            remedy="Load it with MLflow's client from luban server: mlflow.pyfunc.load_model('models:/NAME/VERSION').",
        )
    if protocol > PROTOCOL:
        raise Unsupported(
            "a newer version of Luban wrote this model",
            seen=f"protocol {protocol} by Luban {content.get('luban')}; this one reads up to {PROTOCOL}",
            remedy="Run: pip install --upgrade luban",
        )
    try:
        manifest = from_json(Manifest, content)
    except LubanError as error:
        raise Tampered("the manifest of the model cannot be read", seen=str(error)) from error
    for name, payload in (*manifest.payloads.items(), *manifest.extra.items()):
        _audit(name, payload)
    return manifest


def digests(blobs: Blobs, digest: str) -> tuple[str, ...]:
    """Return the digests of all payloads of a model; of a foreign one those of its files.

    Raises
    ------
    Tampered, Unsupported, NotFound
        As `read_manifest`, but foreign models are read too.
    """
    content = blobs.get_json(digest)
    if isinstance(content, dict) and "foreign" in content:
        return tuple(one["digest"] for one in content["files"].values())
    manifest = read_manifest(blobs, digest)
    return tuple(payload.digest for payload in {**manifest.payloads, **manifest.extra}.values())


def extra(blobs: Blobs, fitted: Fitted | Stored, name: str) -> bytes | None:
    """Return what was stored beside the model under this name, verified; None where there is no such thing."""
    stored = fitted.manifest.get("extra", {}).get(name)
    return None if stored is None else _get(blobs, name, from_json(Payload, stored))


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2]


def _audit(name: str, payload: Payload) -> None:
    allowed = MEDIA_TYPES.get(_suffix(name))
    if not _NAME.fullmatch(name) or allowed is None or payload.media_type != allowed:
        raise Tampered(
            "the model lists a payload of a type that is not loaded",
            seen=f"{name}: {payload.media_type}",
            remedy=f"Payloads may be {', '.join(MEDIA_TYPES)}.",
        )
    if payload.coding not in (None, "zstd") or not 0 <= payload.size <= LARGEST:
        raise Tampered("the model lists a payload that cannot be unpacked", seen=f"{name}: {payload}")


def _put(blobs: Blobs, name: str, content: bytes) -> Payload:
    if not _NAME.fullmatch(name) or _suffix(name) not in MEDIA_TYPES:
        raise Unsupported(
            "a learner made a payload that may not be stored",
            seen=name,
            remedy=f"Names end in {', '.join(MEDIA_TYPES)}; pickle is never loaded.",
        )
    if len(content) > LARGEST:
        raise InputError("a part of the model is too large to store", seen=f"{name}: {len(content):,} bytes")
    packed = pa.Codec("zstd").compress(content, asbytes=True) if content else content
    smaller = len(packed) < 0.9 * len(content)
    return Payload(
        digest=blobs.put(packed if smaller else content),
        size=len(content),
        media_type=MEDIA_TYPES[_suffix(name)],
        coding="zstd" if smaller else None,
    )


def _get(blobs: Blobs, name: str, payload: Payload) -> bytes:
    content = blobs.get(payload.digest)
    if payload.coding is not None:
        try:
            content = pa.Codec("zstd").decompress(content, decompressed_size=payload.size, asbytes=True)
        except (pa.ArrowException, OSError) as error:
            raise Tampered("a part of the model cannot be unpacked", seen=f"{name}: {error}") from error
    if len(content) != payload.size:
        raise Tampered("a part of the model has the wrong size", seen=f"{name}: {len(content)} of {payload.size} bytes")
    return content
