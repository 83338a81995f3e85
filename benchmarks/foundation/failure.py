"""What the benchmark reports as a row, where anything else would be a fault of its own."""

from __future__ import annotations


class RunFailed(Exception):
    """A system could not be installed, did not run to its end, or left nothing that can be measured."""
