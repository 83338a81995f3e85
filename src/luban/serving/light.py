"""What a server that only answers does not load or set aside.

pyarrow imports pandas, where it is installed, with the first list that it makes an array of, to know pandas' objects
when it sees some. A server sees none, and pandas is a quarter of its memory. Whatever asks for a data frame later, a
learner of a plug-in say, gets one: pyarrow tries again then. With Parquet, in which the prediction log is written,
pyarrow loads clients of its own for object stores: 4 MB that nothing here uses, since a workspace's blobs have theirs.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

_CLIENTS = ("pyarrow._s3fs", "pyarrow._gcsfs", "pyarrow._azurefs", "pyarrow._hdfs")


def without_pandas() -> None:
    """Let pyarrow look for pandas now, and not find it; nothing is done where it has been imported already."""
    if "pandas" in sys.modules:
        return
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # pyarrow's own sets 4 MB aside at once
    with _hidden("pandas"):
        import pyarrow as pa

        pa.array([0])


def without_object_stores() -> None:
    """Let pyarrow look for its clients of object stores now, and not find them."""
    with _hidden(*_CLIENTS):
        import pyarrow.fs  # noqa: F401


def give_back() -> None:
    """Give memory that was needed to start, and is free now, back to the operating system; only glibc has a call."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Keep modules from being found; whoever imports them later finds them."""
    hidden = _Hidden(names)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)


class _Hidden:
    """Says that some modules are not there."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        if name in self._names:
            raise ModuleNotFoundError(f"{name} is not needed yet", name=name)
