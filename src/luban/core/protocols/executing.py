"""Where jobs run, and the news of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work for a worker process.

    Parameters
    ----------
    function : str
        ``"package.module:function"``; called as ``function(report, **arguments)`` where ``report(value)``
        sends a JSON value back while it runs and returns False when the job should stop.
    arguments : mapping
        JSON values only; bulk data travels in files.
    deadline : float, optional
        Value of `time.monotonic` (shared by all processes of a machine) after which the worker is killed.
    paths : bool
        Whether it may open files that are named in rows; an executor takes that away where `luban.core.paths` refuses
        it to whoever submits the job.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    paths: bool = True


DIED = "WorkerDied"
"""Type of a failure where the process that ran the job has ended, such as for want of memory."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """News of a job: ``progress`` (a reported value), ``finished`` (the result), ``failed``, ``killed``.

    The value of a failure is ``{"error": words, "type": name}``: the name of the error's class, or `DIED`.
    """

    job: int
    kind: str
    value: Any = None


@runtime_checkable
class Executor(Protocol):
    """Where jobs run (group ``luban.executors``).

    Attributes
    ----------
    workers : int
        How many jobs run at the same time.
    threads : int
        How many threads each of them may run.
    """

    workers: int
    threads: int

    def submit(self, job: Job) -> int:
        """Queue a job and return its number."""

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Yield events as they come, until `timeout` seconds have passed or no job is left."""

    def cancel(self, job: int) -> None:
        """Stop a job; its event is ``killed``."""

    def close(self) -> None:
        """Stop all workers."""


@runtime_checkable
class Warming(Protocol):
    """Ability of an executor: its workers can get ready before there is a job."""

    def warm(self, *modules: str) -> None:
        """Let every worker import these modules while it has no job, in this order; return at once."""
