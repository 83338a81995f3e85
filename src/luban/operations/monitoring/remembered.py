"""Vectors that a watch has computed: windows that follow each other hold mostly the same values."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from luban.operations.monitoring.embedding import Embeddings, embeddings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from luban.core.protocols import Executor

MOST = 8_000
"""Values that are remembered, those that were asked for last."""


class Remembered:
    """Vectors by backbone and digest of the value, in the memory of one process, and gone with it.

    On a disk they would outlive the rows of the log that they were made of.
    """

    def __init__(self) -> None:
        self._vectors: OrderedDict[tuple[str, str], np.ndarray | None] = OrderedDict()
        self._digests: dict[str, str] = {}  # of the backbones

    def embeddings(self, executor: Executor, values: Iterable[str | bytes], *, backbone: str) -> Embeddings:
        """Return the vectors of values as `luban.operations.monitoring.embedding.embeddings` does; new ones alone cost.

        Values that could not be read are not tried again.
        """
        import numpy as np

        from luban.store.digests import digest_of

        given = [(digest_of(_content(one)), one) for one in values]
        whole = dict(given)
        new = {digest: one for digest, one in whole.items() if (backbone, digest) not in self._vectors}
        if new:
            made = embeddings(executor, new.values(), backbone=backbone, cache=None)
            if self._digests.setdefault(backbone, made.digest) != made.digest:  # another version of it is installed
                self._vectors.clear()
                self._digests[backbone] = made.digest
                return self.embeddings(executor, whole.values(), backbone=backbone)
            found = iter(made.vectors)
            for digest, present in zip(new, made.present.tolist(), strict=True):
                self._vectors[backbone, digest] = next(found) if present else None
        for digest in whole:
            self._vectors.move_to_end((backbone, digest))
        there = [vector for digest, _ in given if (vector := self._vectors[backbone, digest]) is not None]
        while len(self._vectors) > MOST:
            self._vectors.popitem(last=False)
        vectors = np.stack(there) if there else np.zeros((0, 0), dtype=np.float32)
        return Embeddings(
            backbone=backbone, digest=self._digests[backbone], vectors=vectors, present=np.ones(len(there), dtype=bool)
        )


def _content(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
