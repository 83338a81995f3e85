"""LightGBM's text without what neither prediction nor Shapley values read: about half of it."""

from __future__ import annotations

import re

_UNREAD = re.compile(r"^(?:split_gain|leaf_weight|internal_weight|internal_value)=.*\n", re.MULTILINE)
_TREES = re.compile(r"^Tree=\d+\n.*?(?=^Tree=|^end of trees)", re.MULTILINE | re.DOTALL)
_SIZES = re.compile(r"^tree_sizes=.*$", re.MULTILINE)


def lean(text: str) -> str:
    """Return the same model in fewer bytes; the sizes that the header promises are those of what is left.

    LightGBM 4 reads each of the lines left out only where it is there (``Tree::Tree`` in ``src/io/tree.cpp``).
    """
    shorter = _UNREAD.sub("", text)
    sizes = " ".join(str(len(tree.encode())) for tree in _TREES.findall(shorter))
    return _SIZES.sub(f"tree_sizes={sizes}", shorter, count=1)
