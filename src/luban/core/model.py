"""A registered model and what it accepts and returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from luban.core.recipe import Recipe
    from luban.core.schema import Column
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The columns that go in and the columns that come out."""

    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One immutable version of a model, with all it came from.

    Parameters
    ----------
    artifact : str
        Digest of the manifest blob.
    dataset : str
        Reference of the data set version that it learnt from.
    run : str
        Identifier of the run that made it.
    data : str, optional
        Fingerprint of that data set version.
    code, environment : str, optional
        Digests of what was recorded of the code (commit, changes, Luban) and of the surroundings (packages, Python,
        platform). Versions that Luban registered before it recorded these have none.
    reports : mapping of str to str
        Name of a check to the digest of its report.
    aliases : tuple of str
        Aliases that point at this version now.
    """

    name: str
    version: int
    artifact: str
    signature: Signature
    task: Task
    recipe: Recipe | None = None
    dataset: str | None = None
    run: str | None = None
    reports: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)
    created: datetime | None = None
    data: str | None = None
    code: str | None = None
    environment: str | None = None

    @property
    def reference(self) -> str:
        """``name/version``."""
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, kw_only=True)
class AliasChange:
    """One move of an alias: who moved it, when, from which version to which, and why.

    Parameters
    ----------
    undo : bool
        Whether it took the last move back, so that the next rollback goes further back.
    """

    model: str
    alias: str
    before: int | None
    after: int | None
    actor: str
    reason: str
    moment: datetime
    undo: bool = False


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A public key whose signatures count in a workspace.

    Parameters
    ----------
    id : str
        32 hexadecimal digits, made from the key itself.
    public : str
        The 32 bytes of an Ed25519 key in base64.
    """

    id: str
    name: str
    public: str
    created: datetime | None = None
    actor: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelSignature:
    """A signature under a model version.

    Parameters
    ----------
    key : str
        Identifier of the key that signed.
    signature : str
        64 bytes in base64.
    """

    key: str
    signature: str
    created: datetime | None = None
    actor: str = ""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Which versions of a model answer requests under one name.

    Parameters
    ----------
    traffic : mapping of str to float
        Model reference to its share; the shares sum to 1. The first is the champion, the others are canaries.
    shadow : str, optional
        Reference of a version that sees every request and answers none.
    log : float
        Share of the requests that the prediction log keeps, from 0 to 1.
    keep : int, optional
        Days after which the prediction log forgets; without them it never does.
    media : bool
        Whether the prediction log keeps the content of pictures and sounds too, and not only its digest.
    """

    name: str
    traffic: Mapping[str, float]
    shadow: str | None = None
    replicas: int = 1
    log: float = 1.0
    keep: int | None = None
    media: bool = False

    @property
    def champion(self) -> str:
        """The reference of the version that the others are measured against."""
        return next(iter(self.traffic))

    @property
    def canaries(self) -> tuple[str, ...]:
        """The references of the other versions that answer."""
        return tuple(self.traffic)[1:]
