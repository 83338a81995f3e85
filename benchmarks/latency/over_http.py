"""A server in a process of its own, and a client that costs little: raw sockets, kept alive."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.learners import artifact

if TYPE_CHECKING:
    from benchmarks.latency.ensembles import Measured

SECONDS, WARM = 5.0, 0.5

SERVER = """
import sys
from pathlib import Path
from benchmarks.latency.over_http import load
from luban.serving.server import serve
serve([load(Path(sys.argv[1]))], port=0, started=lambda url: print(url, flush=True))
"""


class _FolderOfBlobs:
    """Just enough of the store for `luban.learners.artifact`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, content: bytes) -> str:
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        (self.folder / digest).write_bytes(content)
        return f"sha256:{digest}"

    def put_json(self, value: Any) -> str:
        return self.put(json.dumps(value).encode())

    def get(self, digest: str) -> bytes:
        return (self.folder / digest.removeprefix("sha256:")).read_bytes()

    def get_json(self, digest: str) -> Any:
        return json.loads(self.get(digest))


def load(folder: Path) -> Any:
    """Return the runtime that `over_http` saved in a folder."""
    from luban.serving.runtime import Runtime

    fitted = artifact.read(_FolderOfBlobs(folder), (folder / "manifest").read_text())
    return Runtime.from_fitted(fitted, (folder / "model.onnx").read_bytes(), name="model")


def over_http(measured: Measured, connections: int) -> dict[str, float]:
    """Return p50, p99 (milliseconds) and requests a second of one-row inference requests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manifest").write_text(artifact.write(_FolderOfBlobs(folder), measured.fitted))
        (folder / "model.onnx").write_bytes(measured.graph)
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, "-c", SERVER, name], stdout=subprocess.PIPE, stderr=log, text=True
            )
            try:
                assert server.stdout is not None
                url = server.stdout.readline().strip()
                if not url:
                    raise SystemExit(f"the server did not start: {(folder / 'log').read_text()}")
                return asyncio.run(_ask(url, _requests(measured), connections))
            finally:
                server.terminate()
                server.wait()


def _requests(measured: Measured) -> list[bytes]:
    made = []
    columns = measured.fitted.signature.inputs
    for row in measured.rows.slice(0, 200).to_pylist():
        inputs = []
        for column in columns:
            value = row[column.name]
            number = column.kind == "number"
            plain = value if value is None or number or isinstance(value, bool) else str(value)
            kind = "FP64" if number else "BOOL" if isinstance(value, bool) else "BYTES"
            inputs.append({"name": column.name, "shape": [1, 1], "datatype": kind, "data": [plain]})
        body = json.dumps({"inputs": inputs}).encode()
        head = f"POST /v2/models/model/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        made.append(head.encode() + body)
    return made


async def _ask(url: str, requests: list[bytes], connections: int) -> dict[str, float]:
    host, port = url.removeprefix("http://").split(":")
    taken: list[float] = []
    begin = time.perf_counter() + WARM
    end = begin + SECONDS

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        turn = number
        while (started := time.perf_counter()) < end:
            writer.write(requests[turn % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head!r}")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            if started >= begin:
                taken.append(time.perf_counter() - started)
            turn += connections
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    milliseconds = 1e3 * np.array(taken)
    return {
        "p50_ms": float(np.median(milliseconds)),
        "p99_ms": float(np.percentile(milliseconds, 99)),
        "requests_per_second": len(taken) / SECONDS,
    }
