"""Tracking of any code: ``with luban.track("baseline") as run: run.log({"loss": 0.1})``."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import ExitStack, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from luban.core.errors import Conflict, LubanError
from luban.core.serial import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from contextvars import Token
    from types import TracebackType

    from luban.core.run import RunState
    from luban.operations.origin import Origin
    from luban.store import Blobs, Workspace
    from luban.store.artifacts import Artifact

OPERATION = "track"
_FRESH = 60.0  # seconds for which what git said is good

_inner: ContextVar[Tracked | None] = ContextVar("luban_tracked", default=None)


def track(
    name: str = "",
    *,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    experiment: str | None = None,
    parent: Tracked | None = None,
    workspace: Workspace | Path | str | None = None,
) -> Tracked:
    """Return a context in which code is recorded as a run.

    Values, parameters, tags and files are written by a thread of its own: a call takes microseconds, and a process that
    is killed loses what it logged in its last second at most. When the outermost context ends all is written: every
    process sees it, and no kill undoes it. It is on the disk, safe from a loss of power, within a second, or when
    `flush` returns.

    Parameters
    ----------
    name : str
        What people call the run.
    params, tags : mapping, optional
        Told at its beginning.
    experiment : str, optional
        The group of runs it belongs to, made where there is none; by default that of the run around it, or Default.
    parent : Tracked, optional
        The run that it is a part of; by default the one whose context is entered around it in this thread.
    workspace : Workspace or path, optional
        As for every verb; by default that of the parent, or the nearest, made where there is none.

    Examples
    --------
    >>> with luban.track("baseline", params={"rate": 0.1}) as run:  # doctest: +SKIP
    ...     for step in range(100):
    ...         run.log({"loss": 1 / (1 + step)}, step=step)
    ...     run.keep("model.txt")
    ...     with luban.track("fold 1") as fold:
    ...         fold.log({"accuracy": 0.9})
    """
    return Tracked(
        name, params=params or {}, tags=tags or {}, experiment=experiment, parent=parent, workspace=workspace
    )


class Tracked:
    """A run of some code, while it runs. Any thread may use it."""

    def __init__(
        self,
        name: str,
        *,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        experiment: str | None,
        parent: Tracked | None,
        workspace: Workspace | Path | str | None,
    ) -> None:
        self.name = name
        self._given = (params, tags, experiment, parent, workspace)
        self._lock = threading.Lock()
        self._params: dict[str, Any] = {}
        self._steps: dict[str, int] = {}
        self._around: Tracked | None = None
        self._token: Token[Tracked | None] | None = None
        self._open = ExitStack()
        self._id: str | None = None
        self._state: RunState | None = None

    @property
    def id(self) -> str:
        """The identifier of the run: ``luban runs show ID``."""
        if self._id is None:
            raise Conflict("the run has not begun", remedy="Enter its context: with luban.track(...) as run.")
        return self._id

    def __enter__(self) -> Tracked:
        """Begin the run."""
        if self._id is not None:
            raise Conflict("the run has begun already", remedy="Make another: luban.track(...).")
        params, tags, experiment, parent, place = self._given
        self._around = parent if parent is not None else _inner.get()
        if self._around is not None and self._around._state is not None:
            self._around = None  # a context that has ended elsewhere is around nothing
        if self._around is None or place is not None:
            self._workspace = self._open.enter_context(_opened(place))
        else:
            self._workspace = self._around._workspace
        try:
            self._begin(experiment)
            if params:
                self.params(params)
            if tags:
                self.tags(tags)
        except BaseException as error:
            with self._open:
                if self._id is not None:
                    self.end("failed", error)
                    self.flush()
            raise
        self._token = _inner.set(self)
        return self

    def _begin(self, experiment: str | None) -> None:
        from luban.store.processes import this_process

        around = None if self._alone else self._around
        if experiment is not None:
            self._experiment = self._workspace.experiments.find(experiment).id
        else:
            self._experiment = around._experiment if around is not None else 0
        # What a part was made with is what the whole was made with.
        environment = {} if around is not None else _environment(self._workspace.blobs)
        self._id = self._workspace.runs.begin(
            OPERATION,
            {},
            parent=around.id if around is not None else None,
            environment={**environment, "process": this_process()},
            name=self.name,
            experiment=self._experiment,
        ).id

    @property
    def _alone(self) -> bool:
        """Whether the run is in a workspace of its own, where the run around it is not known."""
        return self._around is None or self._workspace is not self._around._workspace

    def log(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log values of metrics.

        Parameters
        ----------
        values : mapping of str to float
        step : int, optional
            By default one more than the metric's last one here, from 0.
        """
        run = self._alive()
        if step is not None:
            self._workspace.runs.log(run, values, step)
            if values.keys() - self._steps.keys() or any(self._steps[name] < step for name in values):
                with self._lock:
                    self._steps.update({name: max(step, self._steps.get(name, step)) for name in values})
            return
        with self._lock:
            for name, value in values.items():
                self._steps[name] = self._steps.get(name, -1) + 1
                self._workspace.runs.log(run, {name: value}, self._steps[name])

    def params(self, values: Mapping[str, Any]) -> None:
        """Tell parameters: any JSON values, told once.

        Raises
        ------
        Conflict
            If one was told with another value.
        """
        plain = {name: to_json(value) for name, value in values.items()}
        with self._lock:
            for name, value in plain.items():
                if self._params.get(name, value) != value:
                    raise Conflict(
                        f"the parameter {name!r} of this run has another value already",
                        seen=f"{self._params[name]!r}, now {value!r}",
                        remedy="Log what changes as a metric.",
                    )
            self._workspace.runs.tell(self._alive(), params=plain)
            self._params.update(plain)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Put tags beside the run, in place of what was there: any JSON values."""
        self._workspace.runs.tell(self._alive(), tags=values)

    def keep(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file, or all files of a folder, as they are now.

        Parameters
        ----------
        path : str or Path
        name : str, optional
            Its path in the run; by default the last part of its own.
        """
        from luban.store.artifacts import Artifact, files_of, valid_path

        source, run = Path(path), self._alive()
        target = valid_path(name if name is not None else source.name)
        files = [(target, source)]
        if not source.is_file():
            files = [(valid_path(f"{target}/{inner}"), file) for inner, file in files_of(source)]
        put = self._workspace.blobs.put_file
        kept = [Artifact(path=inner, digest=put(file), bytes=file.stat().st_size) for inner, file in files]
        self._workspace.runs.tell(run, kept=kept)

    def keep_bytes(self, name: str, content: bytes) -> None:
        """Keep some bytes as a file."""
        from luban.store.artifacts import Artifact, valid_path

        kept = Artifact(path=valid_path(name), digest=self._workspace.blobs.put(content), bytes=len(content))
        self._workspace.runs.tell(self._alive(), kept=[kept])

    def keep_text(self, name: str, text: str) -> None:
        """Keep a text as a file in UTF-8."""
        self.keep_bytes(name, text.encode())

    def keep_json(self, name: str, value: Any) -> None:
        """Keep JSON values, or dataclasses, as a file."""
        self.keep_text(name, json.dumps(to_json(value), ensure_ascii=False, indent=1) + "\n")

    def kept(self) -> list[Artifact]:
        """Return the files that the run keeps."""
        self.flush()
        found: list[Artifact] = self._workspace.artifacts.list(self.id)
        return found

    def flush(self) -> None:
        """Write what was logged; when this returns it is on the disk."""
        self._workspace.runs.flush()

    def end(self, state: RunState = "finished", error: BaseException | None = None) -> None:
        """End the run before its context does."""
        self._workspace.runs.end(self._alive(), state, error=None if error is None else _told(error))
        self._state = state

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run: finished, failed by the error that ends its context, or interrupted."""
        if self._token is not None:
            _inner.reset(self._token)
        try:
            if self._state is None:
                interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
                self.end("finished" if error is None else "interrupted" if interrupted else "failed", error)
            if self._around is None or self._alone:
                self._workspace.runs.hand_over()  # a part is written within a second, or when the whole ends
        finally:
            self._open.close()

    def _alive(self) -> str:
        if self._state is not None:
            raise Conflict("the run has ended", seen=f"{self.id}: {self._state}", remedy="Make another: luban.track().")
        return self.id

    def __repr__(self) -> str:
        return f"<luban.track {self.name!r} {self._id or 'not begun'} {self._state or 'running'}>"


def _opened(place: Workspace | Path | str | None) -> AbstractContextManager[Workspace]:
    from luban.store import Workspace
    from luban.surfaces.kept_open import kept_open

    return nullcontext(place) if isinstance(place, Workspace) else kept_open(place)


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, LubanError):
        return error.to_dict()
    return {"code": type(error).__name__, "happened": str(error)[:2000], "seen": None, "remedy": None}


def _environment(blobs: Blobs) -> dict[str, Any]:
    """Return what code here is run with; the records of code, with its changes, and packages are kept as content."""
    folder = str(Path.cwd())
    origin = _origin(folder, int(time.monotonic() / _FRESH))
    kept = _recorded.get(blobs)
    if kept is None or kept[0] is not origin:
        kept = origin, {**origin.of_run(), "records": origin.keep(blobs)}
        if origin.settled:
            _recorded[blobs] = kept
    return {**kept[1], "folder": folder, "command": _command()}


_recorded: WeakKeyDictionary[Blobs, tuple[Origin, dict[str, Any]]] = WeakKeyDictionary()


@lru_cache(maxsize=1)
def _origin(_folder: str, _turn: int) -> Origin:
    """Return the state of the code in this folder; a notebook that runs for days asks git again and again."""
    from luban.operations.origin import Origin

    return Origin()


def _command() -> list[str]:
    import sys

    from luban.core.secrets import hidden

    return [hidden(word) for word in (sys.argv or [""])]


def _forget() -> None:
    """Let a forked child begin runs of its own: the parent's goes on in the parent."""
    _inner.set(None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
