"""A command that lasts becomes a new process once: with what it understood, and never again and again."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from luban.surfaces import afresh

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.name != "posix", reason="a process becomes another on POSIX")]


class Become(Exception):
    """Stands for the new process."""


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> list[Any]:
    """The command ``luban serve`` in this process, with what it would become."""
    made: list[Any] = []

    def execve(*given: Any) -> None:
        made.append(given)
        raise Become

    monkeypatch.setattr(afresh, "_begun", False)
    monkeypatch.delenv(afresh.UNDERSTOOD, raising=False)
    monkeypatch.setattr(sys, "argv", ["luban", "serve", "caf\udce9"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "utf8", "luban", "serve", "caf\udce9"])
    monkeypatch.setattr(os, "execve", execve)
    return made


def test_the_new_process_is_given_what_was_understood(become: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words, odd bytes too, come whole through the environment, and are taken out of it."""
    given = {"operation": "serve", "given": {"model": ["caf\udce9"], "port": 0, "rate": None, "timeout": 0.5}}
    with pytest.raises(Become):
        afresh.begin(given)
    ((path, words, environment),) = become
    assert (path, words) == (sys.executable, sys.orig_argv)
    monkeypatch.setenv(afresh.UNDERSTOOD, environment[afresh.UNDERSTOOD])
    assert afresh.understood() == given
    assert afresh.UNDERSTOOD not in os.environ
    afresh.begin(given)
    assert len(become) == 1, "it has begun afresh"


def test_a_process_that_comes_by_another_door_does_not_begin_again_and_again(
    become: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that reads the command line itself, although it was begun to do what was understood, does it here."""
    monkeypatch.setenv(afresh.UNDERSTOOD, json.dumps({"server": {}}))
    afresh.begin({"server": {}})
    assert not become
    assert afresh.UNDERSTOOD not in os.environ, "nor do its children take it for theirs"


def test_arguments_of_another_command_are_done_here(become: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a program calls Luban's command line with words of its own."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "program.py"])
    afresh.begin({"server": {}})
    assert not become


def test_where_the_system_refuses_it_is_done_here(become: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No new process, and standard output is what it was."""

    def refused(*_given: Any) -> None:
        raise PermissionError("no new programs here")

    monkeypatch.setattr(os, "execve", refused)
    before = os.fstat(1)
    afresh.begin({"server": {}})
    assert os.path.samestat(before, os.fstat(1))
