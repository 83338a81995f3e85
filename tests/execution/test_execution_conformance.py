"""Both built-in executors keep the protocol."""

from __future__ import annotations

from luban.core import plugins
from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.testing.executor import check_executor


def test_local() -> None:
    check_executor(LocalExecutor)


def test_local_with_two_workers() -> None:
    check_executor(lambda: LocalExecutor(workers=2, threads=1))


def test_inline() -> None:
    check_executor(InlineExecutor, kills=False)


def test_both_are_plugins() -> None:
    assert plugins.load("executors", "local") is LocalExecutor
    assert plugins.load("executors", "inline") is InlineExecutor
