"""Vectors of values by a frozen backbone, computed in a process of their own: whoever asks loads no torch."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import Unavailable
from luban.core.progress import Progress, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from luban.core.protocols import Executor

EMBED = f"{__name__}:embed"
"""The job."""

_VALUES, _VECTORS, _PRESENT, _VALUE = "values.parquet", "vectors.npy", "present.npy", "value"


@dataclass(frozen=True, kw_only=True)
class Embeddings:
    """Vectors of values.

    Parameters
    ----------
    backbone, digest : str
        Its name in the zoo, and of its weights and preparation.
    vectors : numpy.ndarray
        float32, shape (n, d), each of length 1; values that cannot be read have none.
    present : numpy.ndarray
        Bool, one a value: whether it has a vector.
    """

    backbone: str
    digest: str
    vectors: np.ndarray
    present: np.ndarray


def embeddings(
    executor: Executor,
    values: Iterable[str | bytes],
    *,
    backbone: str,
    cache: str | None,
) -> Embeddings:
    """Return the vectors of values.

    Parameters
    ----------
    values : iterable of str or bytes
        Texts, references to pictures or sounds, or their content, which lies in a folder meanwhile.
    cache : str, optional
        Folder in which the vectors are kept, as those of a fit are.

    Raises
    ------
    Unavailable
        If the backbone cannot compute them, with the reason.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from luban.core.protocols import Job

    with tempfile.TemporaryDirectory(prefix="luban-embed-") as name:
        folder = Path(name)
        references = [_reference(value, folder / str(place)) for place, value in enumerate(values)]
        pq.write_table(pa.table({_VALUE: pa.array(references, pa.string())}), folder / _VALUES)
        job = executor.submit(
            Job(
                function=EMBED,
                arguments={"folder": name, "backbone": backbone, "cache": cache, "threads": executor.threads},
            )
        )
        digest = _done(executor, job, backbone, len(references))
        vectors, present = (np.load(folder / one, allow_pickle=False) for one in (_VECTORS, _PRESENT))
        return Embeddings(backbone=backbone, digest=digest, vectors=vectors, present=present)


def embed(report: Callable[[Any], bool], folder: str, backbone: str, cache: str | None, threads: int) -> str:
    """Write the vectors of the values in a folder beside them, and return the digest of the backbone."""
    import numpy as np
    import pyarrow.parquet as pq

    from luban.core.budget import Effort
    from luban.foundation import zoo
    from luban.foundation.features import features, unit

    def told(done: int, _: int) -> None:
        report(done)

    loaded = zoo.find(backbone).load()
    found = features(
        loaded,
        pq.read_table(Path(folder) / _VALUES),
        _VALUE,
        effort=Effort(threads=threads, cache=cache),
        progress=told,
    )
    np.save(Path(folder) / _VECTORS, unit(found.values[found.present]).astype(np.float32))
    np.save(Path(folder) / _PRESENT, found.present)
    return loaded.digest


def _reference(value: str | bytes, file: Path) -> str:
    """Return a value as it is, content as the path of the file that it is written to."""
    if isinstance(value, str):
        return value
    file.write_bytes(value)
    return str(file)


def _done(executor: Executor, job: int, backbone: str, values: int) -> str:
    """Wait for a job and return the digest of the backbone."""
    for event in executor.events():
        if event.job != job:
            continue
        if event.kind == "progress":
            tell(Progress(stage="embed", message=f"{event.value:,} of {values:,} values read by {backbone}"))
            continue
        if event.kind == "finished":
            return str(event.value)
        why: Mapping[str, Any] = event.value or {}
        raise Unavailable(f"{backbone} could not read the values", seen=str(why.get("error", "its process ended")))
    raise Unavailable(f"{backbone} could not read the values", seen="its process ended")
