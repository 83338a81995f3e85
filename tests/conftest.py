"""What tests of every room share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable

# No example has a time limit of its own: a machine that is busy for a moment says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time, so that a run tells of the change and not of chance; LUBAN_EXPLORE=1 looks for new ones.
settings.register_profile("same", settings.get_profile("patient"), derandomize=True)
settings.load_profile("patient" if os.environ.get("LUBAN_EXPLORE") else "same")


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Return a function from the name of a real data set to its folder; it skips where there is none."""
    root = Path(os.environ.get("LUBAN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))

    def find(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"the data set {name} is not in {root}; set LUBAN_TEST_DATA to a folder that has it")
        return folder

    return find
