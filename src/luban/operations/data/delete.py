"""Data delete: a version of a data set that no model needs goes for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import Conflict
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class DatasetDeleted:
    """A version that is gone.

    Attributes
    ----------
    removed : int
        Blobs that nothing else named, which are gone too: rows, pictures, sounds.
    """

    dataset: str
    rows: int
    removed: int


@operation(permission="data:write", name="data delete", existing=True)
def data_delete(workspace: Workspace, data: str, *, reason: str = "") -> DatasetDeleted:
    """Delete a version of a data set for good, with the content that nothing else names.

    A version that a model learnt from, that the next update of a model begins with, or that a fit is learning from, is
    not deleted. Versions made from it stay. The audit chain keeps its record, and its number is not given again.

    Parameters
    ----------
    data
        The version: NAME/VERSION.
    reason
        Why.
    """
    rows = workspace.datasets.get(data).rows
    _check(workspace, data)
    removed = workspace.datasets.delete(data, reason=reason)
    return DatasetDeleted(dataset=data, rows=rows, removed=removed)


def _check(workspace: Workspace, data: str) -> None:
    """Raise where the next update of a model begins with these rows: it may have learnt from some of them alone."""
    from luban.operations.updating.subject import TAG

    versions = (one for model in workspace.models.list() for one in workspace.models.versions(model.name))
    needing = [one.reference for one in versions if (one.tags.get(TAG) or {}).get("base") == data]
    if needing:
        raise Conflict(
            f"{data} is not deleted: updates of models begin with it",
            seen=", ".join(needing[:8]) + (f" and {len(needing) - 8} more" if len(needing) > 8 else ""),
            remedy=f"Delete them first: luban models delete {needing[0]}.",
        )
