"""How a run ends that does not end with a model."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from luban.core.errors import LubanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.core.run import Run
    from luban.store import Workspace


@contextmanager
def recorded(workspace: Workspace, run: Run) -> Iterator[None]:
    """Record how a run ended where it did not end with a model."""
    try:
        yield
    except KeyboardInterrupt:
        workspace.runs.finish(run.id, "interrupted")
        raise
    except LubanError as error:
        workspace.runs.finish(run.id, "failed", error=error.to_dict())
        raise
    except Exception as error:
        workspace.runs.finish(
            run.id, "failed", error={"code": "defect", "happened": f"{type(error).__name__}: {error}"}
        )
        raise
