"""Data list: the data sets of the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class DatasetLine:
    """One version of a data set in a list."""

    dataset: str
    rows: int
    columns: int
    fingerprint: str
    parents: tuple[str, ...]
    created: datetime | None


@dataclass(frozen=True, kw_only=True)
class DatasetList:
    """Versions of data sets, the newest first."""

    datasets: tuple[DatasetLine, ...]


@operation(permission="data:read", name="data list")
def data_list(workspace: Workspace, name: str | None = None) -> DatasetList:
    """List the data sets, the newest version of each, or all versions of one.

    Parameters
    ----------
    name
        The data set whose versions are wanted.
    """
    versions = workspace.datasets.versions(name) if name else workspace.datasets.list()
    return DatasetList(
        datasets=tuple(
            DatasetLine(
                dataset=one.reference,
                rows=one.rows,
                columns=len(one.schema.columns),
                fingerprint=one.fingerprint,
                parents=one.parents,
                created=one.created,
            )
            for one in versions
        )
    )
