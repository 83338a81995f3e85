"""Arguments become what an operation's annotations want, or are refused by name; they never crash it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from luban.core.budget import Duration
from luban.core.errors import InputError
from luban.surfaces.call import coerce


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "3", 3),
        (int, 3.0, 3),
        (int, np.int64(3), 3),
        (float | None, None, None),
        (float, np.float32(0.5), 0.5),
        (bool, "true", True),
        (tuple[float, ...], "0.1, 0.9", (0.1, 0.9)),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (Path, "x.csv", Path("x.csv")),
        (Duration, "2m", 120.0),
        (Literal["a", "b"], "a", "a"),
    ],
)
def test_value_is_read_as_the_annotation_wants(annotation: Any, value: object, expected: object) -> None:
    assert coerce(annotation, value, "it") == expected


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 3.7),
        (int, -1),
        (int, "-1"),
        (int, float("inf")),
        (int, True),
        (str, None),
        (str, 5),
        (tuple[str, ...], 5),
        (tuple[str, ...], {"a": 1}),
        (tuple[int, ...], "1,x"),
        (Duration, [60]),
        (Duration, True),
        (Literal["a", "b"], "c"),
        (Literal["a", "b"], ["a"]),
        (bool, "maybe"),
    ],
)
def test_value_of_nonsense_is_refused_by_name(annotation: Any, value: object) -> None:
    with pytest.raises(InputError, match="it must be"):
        coerce(annotation, value, "it")
