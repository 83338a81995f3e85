"""Answer rows over HTTP from the model beside this file; needs starlette and uvicorn.

    LUBAN_TOKEN_SHA256=... python server.py [--host 127.0.0.1] [--port 8080] [--certificate FILE --key FILE]
    python server.py --check               exit with 0 where a server on the port is well

Clients send `Authorization: Bearer TOKEN`; the server knows only the SHA-256 of each token (several are parted by
commas) and does not start without one. It takes and gives what `luban serve` does at the same path:
POST /models/NAME/predict {"rows": [{"column": value, ...}, ...]}; /health needs no token.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import logging
import os
import re
import ssl
import sys
import urllib.request
from pathlib import Path
from typing import Any

import uvicorn
from predict import ColumnMissing, Model, ModelError, RowError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LARGEST = 32 * 1024 * 1024  # bytes of a body
MOST_ROWS = 100_000  # of a request
AT_ONCE = 32  # requests
PATIENCE = 30.0  # seconds that a body may take to come
DIGEST = re.compile("[0-9a-f]{64}")


class Refusal(Exception):
    """A request that is not answered: the status, and what happened."""

    def __init__(self, status: int, happened: str) -> None:
        super().__init__(happened)
        self.status = status


class Strict(JSONResponse):
    """JSON without NaN and Infinity, which are none."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


class Gate:
    """ASGI middleware: who has no good token gets to /health and to nothing else."""

    def __init__(self, app: Any, digests: list[bytes]) -> None:
        self.app, self.digests = app, digests

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] != "/health" and not self.good(scope):
            answer = told(Refusal(401, "a good token is needed: Authorization: Bearer TOKEN"))
            answer.headers["WWW-Authenticate"] = "Bearer"
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def good(self, scope: Any) -> bool:
        """Return whether the request bears a token whose digest is known; takes the same time for each."""
        heads = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(heads) != 1 or len(heads[0]) > 4096 or heads[0][:7].lower() != b"bearer ":
            return False
        given = hashlib.sha256(heads[0][7:].strip()).hexdigest().encode()
        return any([hmac.compare_digest(given, one) for one in self.digests])  # noqa: C419 - all of them, always


class Predicting:
    """The one route that answers."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, _, self.version = model.signature["model"].partition("/")
        self.busy = 0

    async def predict(self, request: Request) -> Response:
        """Return predictions of the rows in a request."""
        if request.path_params["model"] != self.name:
            return told(Refusal(404, f"there is no such model; there is {self.name!r}"))
        if self.busy >= AT_ONCE:
            answer = told(Refusal(429, "too many requests are being answered"))
            answer.headers["Retry-After"] = "1"
            return answer
        self.busy += 1
        try:
            rows, missing = asked(await body_of(request))
            found = await run_in_threadpool(self.model.predict, rows, missing=missing)
            notes = [f"Columns that are not asked for are left out: {', '.join(some)}."
                     for some in [self.model.unknown(rows)[:8]] if some]  # fmt: skip
            return Strict({"model": self.model.signature["model"], "predictions": found, "notes": notes})
        except Refusal as error:
            return told(error)
        except ColumnMissing as error:
            return told(Refusal(400, f'{error.happened}; add it, or send "missing": "fill" beside the rows'))
        except RowError as error:
            return told(Refusal(400, str(error)))
        except ModelError as error:
            return told(Refusal(500, str(error)))
        finally:
            self.busy -= 1

    async def health(self, _request: Request) -> Response:
        """Say that the server is well; what it serves is told to those with a token."""
        return Strict({"status": "ok"})


def told(error: Refusal) -> Response:
    """Return the answer that says why there is none."""
    return Strict({"error": str(error)}, error.status)


async def body_of(request: Request) -> bytes:
    """Return the body of a request, or raise `Refusal` where it is too large or too slow."""
    said = request.headers.get("content-length", "0")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed bodies are not read")
    if not said.isdecimal() or int(said) > LARGEST:
        raise Refusal(413, f"send at most {LARGEST} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    raise Refusal(413, f"send at most {LARGEST} bytes")
    except TimeoutError:
        raise Refusal(408, f"send the body within {PATIENCE:g} seconds") from None
    except ClientDisconnect:
        raise Refusal(400, "the body ended early") from None
    return bytes(body)


def parsed(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; NaN and Infinity are no JSON."""
    try:
        found = json.loads(body, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(f"{word} is no JSON")))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "the body is no JSON object")
    return found


def asked(body: bytes) -> tuple[list[dict[str, Any]], str]:
    """Return the rows that a body asks for, and what becomes of columns that are not there."""
    found = parsed(body)
    rows, missing = found.get("rows"), found.get("missing", "error")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refusal(400, 'the request has no list of rows: {"rows": [{"column": value, ...}]}')
    if len(rows) > MOST_ROWS or missing not in ("error", "fill"):
        raise Refusal(400, f"there may be at most {MOST_ROWS} rows, and missing must be error or fill")
    return rows, missing


def application(model: Model, digests: list[bytes]) -> Gate:
    """Return the ASGI application."""
    predicting = Predicting(model)
    routes = [
        Route("/health", predicting.health),
        Route("/models/{model}/predict", predicting.predict, methods=["POST"]),
        Route(f"/models/{{model}}/versions/{predicting.version or 1}/predict", predicting.predict, methods=["POST"]),
    ]
    return Gate(Starlette(routes=routes), digests)


def known_digests() -> list[bytes]:
    """Return the digests of the tokens that are good, from the environment; exit where there is none."""
    given = [one.strip().lower() for one in os.environ.get("LUBAN_TOKEN_SHA256", "").split(",") if one.strip()]
    if not given or not all(DIGEST.fullmatch(one) for one in given):
        sys.exit("LUBAN_TOKEN_SHA256 must hold the SHA-256 of a token, 64 hexadecimal digits; see README.md.")
    return [one.encode() for one in given]


def check(port: int, secure: bool) -> int:
    """Return 0 where the server on this machine's port is well."""
    context = ssl._create_unverified_context() if secure else None  # noqa: S323 - its name is not that of loopback
    url = f"{'https' if secure else 'http'}://127.0.0.1:{port}/health"
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - of loopback
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


def main() -> int:
    """Serve until SIGTERM or SIGINT; requests in flight are answered first."""
    parser = argparse.ArgumentParser(description="Answer rows over HTTP.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--certificate", default=os.environ.get("LUBAN_CERTIFICATE") or None)
    parser.add_argument("--key", default=os.environ.get("LUBAN_KEY") or None)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.check:
        return check(given.port, given.certificate is not None)
    digests = known_digests()
    model = Model(Path(__file__).parent, threads=os.cpu_count() or 1, paths=False)
    model.session  # noqa: B018 - opened before anybody asks
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    uvicorn.run(
        application(model, digests), host=given.host, port=given.port, lifespan="off", server_header=False,
        proxy_headers=False, log_config=None, timeout_keep_alive=30, timeout_graceful_shutdown=20,
        limit_concurrency=1024, ssl_certfile=given.certificate, ssl_keyfile=given.key,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
