"""The spellings of true and false."""

from __future__ import annotations

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1", "on", "是", "真"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0", "off", "否", "假"})
