"""Data diff: what changed between two versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation
from luban.core.report import Report

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Diffed:
    """The difference of two sets of rows."""

    before: str
    after: str
    report: Report


@operation(permission="data:read", name="data diff")
def data_diff(workspace: Workspace, before: Any, after: Any, *, key: str | None = None) -> Diffed:
    """Compare two data sets: columns, rows and distributions.

    Parameters
    ----------
    before
        A file or a data set of the workspace.
    after
        A file or a data set of the workspace.
    key
        Column that identifies a row, to tell changed rows from removed and added ones.
    """
    from luban.data import difference
    from luban.operations.reading import read_table, source_of

    names = source_of(before), source_of(after)
    tables = read_table(workspace, before), read_table(workspace, after)
    report = difference.difference(*tables, key=key, subject=" -> ".join(names))
    return Diffed(before=names[0], after=names[1], report=report)
