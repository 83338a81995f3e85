"""Schemathesis reads the page of `luban server` and asks whatever it allows, and more: no answer is a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from rest_server import answering

from luban.store import Workspace
from luban.surfaces.rest import application

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

schemathesis = pytest.importorskip("schemathesis")
EXAMPLES = 6


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with Workspace.open(tmp_path / ".luban") as workspace, answering(application(workspace)) as address:
        yield address


@pytest.mark.long
def test_no_request_that_the_page_allows_or_forbids_makes_the_server_fail(url: str) -> None:
    """Of every operation some good and some bad requests, in an empty workspace."""
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    failures: list[tuple[str, str, str]] = []
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            answer = case.call(session=None, base_url=url, timeout=180)
            if answer.status_code >= 500:
                failures.append((case.method, case.formatted_path, f"{case.body!r} {answer.text}"[:500]))
            asked += 1

        ask()
    assert not failures
    assert asked > 200
    assert httpx.get(f"{url}/openapi.json").status_code == 200
