"""A worker's job: the ONNX graph of a model, and its parity with the Python form on real rows."""

from __future__ import annotations

import time
from typing import Any

from luban.core.errors import Unsupported

# Rows that a model and its graph are compared on: at least so many, and no more than are answered in so many seconds;
# where no clock counts, so many.
_FEWEST, _SECONDS, _COUNTED = 24, 1.0, 200


def build_graph(report: Any, *, blobs: str, digest: str, rows: str, name: str, timed: bool) -> dict[str, Any]:  # noqa: ARG001
    """Return the digest of a manifest that holds the graph too, or None with the reason.

    Parameters
    ----------
    report : callable
        Not used: the work is too short to tell about.
    blobs : str
        Location of the blobs.
    digest : str
        Digest of the model's manifest.
    rows : str
        Digest of an Arrow stream of canonical rows to compare on.
    name : str
        Name of the graph among the payloads.
    timed : bool
        Whether the work has a deadline; what has none must not depend on a clock.
    """
    import pyarrow as pa

    from luban.export.onnx import build, parity
    from luban.learners import artifact
    from luban.store.blobs import Blobs

    store = Blobs(blobs)
    fitted = artifact.read(store, digest)
    try:
        graph = build.build(fitted)
    except Unsupported as error:
        return {"digest": None, "reason": str(error)}
    table = pa.ipc.open_stream(store.get(rows)).read_all()
    measured = parity.measure(fitted, graph, _enough(fitted, table) if timed else table.slice(0, _COUNTED))
    if not measured.holds:
        return {"digest": None, "reason": f"its answers differ by {measured.difference:.2g} from the model's"}
    whole = artifact.write(store, fitted, extra={name: graph}, parity=measured.difference)
    return {"digest": whole, "reason": ""}


def _enough(fitted: Any, table: Any) -> Any:
    """Return as many of the rows as the model answers in a second, some dozen at least."""
    begun = time.monotonic()
    fitted.model.predict(table.slice(0, _FEWEST))
    each = max(time.monotonic() - begun, 1e-6) / _FEWEST
    return table.slice(0, max(_FEWEST, int(_SECONDS / each)))
