"""Data profile: what is in a data set, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation
from luban.core.report import Report

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """The profile of some rows."""

    data: str
    rows: int
    report: Report


@operation(permission="data:read", long=True, name="data profile")
def data_profile(workspace: Workspace, data: Any, *, target: str | None = None) -> Profiled:
    """Profile rows: types, missing values, ranges, duplicates, leaks, outliers, balance; texts, pictures, sounds.

    Parameters
    ----------
    data
        A file, a folder, a data set of the workspace, or an object in memory.
    target
        The column to be predicted, for the checks that concern it.
    """
    from luban.data import infer, profile
    from luban.operations.reading import name_for, read_table, stored

    dataset = stored(workspace, data)
    table = read_table(workspace, data)
    schema = dataset.schema if dataset is not None else infer.infer_schema(table)
    subject = dataset.reference if dataset is not None else name_for(data)
    return Profiled(
        data=subject,
        rows=table.num_rows,
        report=profile.profile(table, schema, target=target, subject=subject),
    )
