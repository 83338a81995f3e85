"""The data sets of the comparison: what is predicted, and the one metric that every system is told to optimise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.automl.job import Kind


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A folder ``NAME/data.parquet`` and what is asked of it.

    ``identifiers`` are columns that number the rows or name where they came from; they stay in unless asked otherwise.
    """

    name: str
    target: str
    kind: Kind
    identifiers: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The primary metric: ``roc_auc``, ``accuracy`` or ``rmse``."""
        return {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}[self.kind]


SETS = {
    data.name: data
    for data in (
        DataSet(name="adult", target="class", kind="binary", identifiers=("split",)),
        DataSet(name="covertype_sample", target="Cover_Type", kind="multiclass", identifiers=("Id",)),
        DataSet(name="diamonds", target="price", kind="regression"),
        DataSet(name="credit_g", target="credit_risk", kind="binary"),
        DataSet(name="telco_churn", target="Churn", kind="binary", identifiers=("customerID",)),
    )
}
