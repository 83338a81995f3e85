"""Schemathesis reads the server's OpenAPI page and asks whatever it allows, and more: no answer is a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

import small_models as small
from luban.export.onnx.build import build
from luban.serving.limits import Limits
from luban.serving.runtime import Runtime
from luban.serving.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

schemathesis = pytest.importorskip("schemathesis")
EXAMPLES = 25


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    fitted = small.fitted(small.BINARY)
    runtimes = [
        Runtime.from_fitted(fitted, build(fitted), name="m"),
        Runtime.from_fitted(small.fitted(small.NUMBER), name="m", version=2),
    ]
    with running(runtimes, limits=Limits(body=100_000)) as url:
        yield url


def test_the_page_has_every_route_of_every_wire(url: str) -> None:
    page = httpx.get(f"{url}/openapi.json", timeout=180).json()
    assert page["openapi"] == "3.1.0"
    assert set(page["paths"]) >= {
        "/v2/models/{model}/infer",
        "/v1/models/{model}:predict",
        "/predictions/{model}",
        "/invocations",
        "/models/{model}/predict",
        "/metrics",
    }
    infer = page["paths"]["/v2/models/{model}/infer"]["post"]
    assert infer["requestBody"]["content"]["application/json"]["schema"]["required"] == ["inputs"]
    assert infer["security"] == [{"token": []}]


@pytest.mark.long
@pytest.mark.parametrize("model", ["m", None])
def test_no_request_that_the_page_allows_or_forbids_makes_the_server_fail(url: str, model: str | None) -> None:
    """Of every operation some good and some bad requests; `model` is put in place of the paths' names."""
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    asked = 0
    with httpx.Client(base_url=url, timeout=180) as client:
        for found in schema.get_all_operations():
            operation = found.ok()

            @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def ask(case: Any) -> None:
                nonlocal asked
                if model is not None and case.path_parameters:
                    case.path_parameters.update({k: v for k, v in (("model", model),) if k in case.path_parameters})
                answer = case.call(session=None, base_url=url, timeout=180)
                # 504 answers a deadline of the request's own that had passed.
                late = answer.status_code == 504 and "timeout" in repr(case.body)
                assert answer.status_code < 500 or late, (case.method, case.formatted_path, answer.text)
                asked += 1

            ask()
        assert client.get("/v2/health/ready").status_code == 200
    assert asked > 500
