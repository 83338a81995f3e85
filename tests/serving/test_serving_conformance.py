"""Every installed wire passes the conformance check, and the check finds what is wrong with a bad one."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import small_models as small
from luban.core import plugins
from luban.export.onnx.build import build
from luban.serving.access import needs
from luban.serving.runtime import Runtime
from luban.testing.wire import check_wire


def runtimes() -> list[Runtime]:
    fitted = small.fitted(small.BINARY)
    return [Runtime.from_fitted(fitted, build(fitted), name="income", version=3)]


@pytest.mark.parametrize("name", plugins.names("wires"))
def test_every_installed_wire_conforms(name: str) -> None:
    assert check_wire(plugins.create("wires", name), runtimes())


async def _echo(request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


async def _refuse(_request) -> PlainTextResponse:
    return PlainTextResponse("no", 400)


async def _fail(request) -> PlainTextResponse:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        ([], "no route"),
        ([Route("/a", _echo), Route("/a", _echo)], "twice"),
        ([Route("/a", _echo, methods=["POST"])], "does not say what it needs"),
        (needs("infer", Route("/a", _echo, methods=["POST"])), "answers 200 to the body"),
        (needs("infer", Route("/a", _refuse, methods=["POST"])), "not in JSON"),
        (needs("infer", Route("/{model}", _echo)), "a model that is not there"),
    ],
)
def test_the_check_finds_what_is_wrong(routes, words: str) -> None:
    class Bad:
        def routes(self, runtime):
            return routes

    with pytest.raises(AssertionError, match=words):
        check_wire(Bad(), runtimes())


def test_the_check_finds_a_route_that_fails() -> None:
    class Failing:
        def routes(self, runtime):
            return needs("infer", Route("/a", _fail))

    with pytest.raises(ZeroDivisionError):
        check_wire(Failing(), runtimes())
