"""Rows of a fit that none of its models learnt from: what a later look at the model may be judged by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from luban.core.model import ModelVersion
    from luban.store import Workspace

KEPT_OUT = "kept_out"
"""Tag of a fit's run: the blob with the numbers of these rows."""

# What fewer rows say of a model is chance.
FEWEST = 50


def keep(workspace: Workspace, run: str, rows: np.ndarray, target: np.ndarray) -> None:
    """Keep the numbers of the rows with the fit's run, where there are enough of them.

    Parameters
    ----------
    rows : numpy.ndarray
        Among those with a known target, in their order in the data set.
    target : numpy.ndarray
        Of all rows with a known one, by which they are known again.
    """
    if len(rows) >= FEWEST:
        known = {"rows": rows.tolist(), "target": _digest(target)}
        workspace.runs.set_tag(run, KEPT_OUT, workspace.blobs.put_json(known))


def some_kept_out(workspace: Workspace, version: ModelVersion) -> bool:
    """Return whether there are rows of its data set that a version did not learn from, as its fit tells."""
    return version.run is not None and KEPT_OUT in workspace.runs.tags(version.run)


def kept_out(workspace: Workspace, version: ModelVersion, target: np.ndarray) -> np.ndarray | None:
    """Return the numbers of the rows that a version did not learn from, None where there are none or it is not known.

    Parameters
    ----------
    target : numpy.ndarray
        Of the rows with a known one of its data set; of others nothing is known.
    """
    import numpy as np

    digest = None if version.run is None else workspace.runs.tags(version.run).get(KEPT_OUT)
    if digest is None:
        return None
    known: Any = workspace.blobs.get_json(digest)
    return np.asarray(known["rows"], dtype=np.int64) if known["target"] == _digest(target) else None


def _digest(target: np.ndarray) -> str:
    import numpy as np

    if target.dtype == object:  # a row of labels each, of any length
        return hashlib.sha256("\n".join(str(np.asarray(row).tolist()) for row in target).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(target).tobytes()).hexdigest()
