"""What a server that only answers does not load or set aside.

pyarrow imports pandas, where it is installed, with the first list that it makes an array of, to know pandas' objects
when it sees some. A server sees none, and pandas is a quarter of its memory. Whatever asks for a data frame later, a
learner of a plug-in say, gets one: pyarrow tries again then.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_LATER = "pandas"


def without_pandas() -> None:
    """Let pyarrow look for pandas now, and not find it; nothing is done where it has been imported already."""
    if _LATER in sys.modules:
        return
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # pyarrow's own sets 4 MB aside at once
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        import pyarrow as pa

        pa.array([0])
    finally:
        sys.meta_path.remove(hidden)


class _Hidden:
    """Says that there is no pandas."""

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None) -> None:
        if name == _LATER:
            raise ModuleNotFoundError(f"{name} is not needed yet", name=name)
