"""The workspace that a call works in: one that is there, or one that is made when there is something to keep.

A slip of the pen must not leave a workspace behind: every later command in folders below would find it and use it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from luban.core.errors import NotFound

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from luban.core.operation import Operation
    from luban.store import Workspace


def opened(location: Workspace | Path | str | None, operation: Operation) -> AbstractContextManager[Any]:
    """Return the context of a call: the workspace at `location`, by default the nearest.

    Where there is none, what only reads, or changes what would have to be there, sees an empty one; what else writes
    makes it when it first keeps something.
    """
    from luban.store import Workspace
    from luban.store.workspace import find

    if isinstance(location, Workspace):
        from contextlib import nullcontext

        return nullcontext(location)
    root = find(location)
    if root.is_dir() or os.environ.get("LUBAN_STORE"):
        return Workspace.open(root)
    return _Unmade(root, kept=operation.permission.endswith(":write") and not operation.existing)


class _Unmade:
    """Stands for a workspace that is opened when it is first used."""

    def __init__(self, root: Path, *, kept: bool) -> None:
        self.root = root
        self._kept = kept
        self._open = ExitStack()
        self._workspace: Workspace | None = None
        self._opening = threading.Lock()  # a server looks at its policies in a thread

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with self._opening:
            if self._workspace is None:
                from luban.store import Workspace

                root = (
                    self.root if self._kept else self._open.enter_context(tempfile.TemporaryDirectory(prefix="luban-"))
                )
                self._workspace = self._open.enter_context(Workspace.open(root))
        return getattr(self._workspace, name)

    def __enter__(self) -> _Unmade:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._open.close()
        if isinstance(error, NotFound) and error.none:  # of what people look for they may have much elsewhere
            where = "Name the workspace that has it: --workspace FOLDER, in Python workspace=FOLDER."
            seen = f"there is no workspace at {self.root}"
            raise NotFound(error.happened, seen=seen, remedy=f"{error.remedy} {where}") from error
