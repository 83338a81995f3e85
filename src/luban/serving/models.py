"""The models that a server answers for, and the threads they run in."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from luban.serving.runtime import Runtime

Result = TypeVar("Result")
LARGEST_BODY = 32 * 1024 * 1024


class Models:
    """What a wire answers from (the ``runtime`` of `luban.core.protocols.Wire.routes`).

    Parameters
    ----------
    runtimes : iterable of Runtime
        Several versions of one name may be served; the one given last answers where no version is asked for.
    threads : int, optional
        Threads that compute predictions, so that the event loop never waits for one; by default one a processor
        and at least two.
    largest_body : int
        Bytes of the largest request body that is read.
    """

    def __init__(
        self, runtimes: Iterable[Runtime], *, threads: int | None = None, largest_body: int = LARGEST_BODY
    ) -> None:
        self._versions: dict[str, dict[str, Runtime]] = {}
        for runtime in runtimes:
            versions = self._versions.setdefault(runtime.name, {})
            if str(runtime.version) in versions:
                raise InputError(f"{runtime.name}/{runtime.version} was given twice", remedy="Name each model once.")
            versions[str(runtime.version)] = runtime
        if not self._versions:
            raise InputError("there is no model to serve", remedy="Name at least one.")
        self.largest_body = largest_body
        self.stopping = False
        self._pool = ThreadPoolExecutor(threads or max(2, _processors()), thread_name_prefix="luban-predict")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(self._versions)

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of a model that are served; `NotFound` where there is none."""
        return tuple(self._named(name))

    def find(self, name: str, version: str | None = None) -> Runtime:
        """Return the runtime of a model; without a version the one given last.

        Raises
        ------
        NotFound
            With the nearest names, or the versions there are.
        """
        versions = self._named(name)
        if version is None:
            return next(reversed(versions.values()))
        if version not in versions:
            raise NotFound(
                f"the model {name!r} has no version {version!r} here", remedy=f"Served: {', '.join(versions)}."
            )
        return versions[version]

    def all(self) -> tuple[Runtime, ...]:
        """Return every runtime."""
        return tuple(runtime for versions in self._versions.values() for runtime in versions.values())

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Return what a function returns that computes, called in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """Wait for what is being computed and end the threads."""
        self._pool.shutdown(wait=True)

    def _named(self, name: str) -> dict[str, Runtime]:
        if name not in self._versions:
            raise NotFound.named("model", name, self._versions)
        return self._versions[name]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
