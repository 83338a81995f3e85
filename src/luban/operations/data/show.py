"""Data show: one version of a data set and its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.dataset import Dataset
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class DatasetShown:
    """A version of a data set, and its first rows."""

    dataset: Dataset
    head: tuple[Mapping[str, Any], ...]


@operation(permission="data:read", name="data show")
def data_show(workspace: Workspace, data: str, *, rows: int = 5) -> DatasetShown:
    """Show a data set: its columns, its origin and its first rows.

    Parameters
    ----------
    data
        The data set: NAME or NAME/VERSION.
    rows
        How many rows to show.
    """
    from luban.data import versions
    from luban.operations.reading import dataset_named

    dataset = dataset_named(workspace, data)
    head: list[Mapping[str, Any]] = []
    for batch in versions.batches(workspace, dataset):
        head.extend(batch.slice(0, rows - len(head)).to_pylist())
        if len(head) >= rows:
            break
    return DatasetShown(dataset=dataset, head=tuple(head))
