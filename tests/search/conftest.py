"""Studies on scikit-learn's data, with the tiny learners of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from search_problems import problem

from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.search.study import run_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from luban.search.result import StudyResult


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., StudyResult]:
    """Run a study in this process."""

    def run(name: str = "breast_cancer", *, changes: dict[str, Any] | None = None, **options: Any) -> StudyResult:
        defaults = {
            "folder": tmp_path / "scratch",
            "learners": ["search_learners:Ridge"],
            "executor": InlineExecutor(),
            **problem(name, **(changes or {})),
        }
        return run_study(**{**defaults, **options})

    return run


@pytest.fixture
def workers() -> Iterator[LocalExecutor]:
    """Two worker processes."""
    with LocalExecutor(workers=2, threads=1) as executor:
        yield executor
