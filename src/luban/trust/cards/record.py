"""What a model card is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.dataset import Dataset
    from luban.core.model import ModelVersion
    from luban.core.report import Report


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that is on record of one version.

    Parameters
    ----------
    parts : tuple of (str, float)
        Learners of the ensemble with their weights.
    size : int, optional
        Bytes of the model's files.
    reports : mapping of str to Report
        By the name of the check.
    description : str
        What somebody wrote beside the version, or beside the model.
    intended, license : str
        In the words of whoever asked for the card; empty where nothing was said.
    author : str
        Who that was.
    lineage : tuple of str
        What it was made from and what uses it, as lines of text.
    signed_by : tuple of str
        Names of the trusted keys whose signatures are good.
    deployments : tuple of str
        Where it answers, in words.
    """

    version: ModelVersion
    actor: str = ""
    parts: tuple[tuple[str, float], ...] = ()
    size: int | None = None
    graph: bool = False
    parity: float | None = None
    dataset: Dataset | None = None
    code: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] | None = None
    reports: Mapping[str, Report] = field(default_factory=dict)
    description: str = ""
    intended: str = ""
    license: str = ""
    author: str = ""
    lineage: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
