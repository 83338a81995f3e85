"""What every exporter must do; run it over one of your own with `check_exporter`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError
from luban.core.protocols import Exporter, Suitable, Unsuitable
from luban.core.serial import to_json

if TYPE_CHECKING:
    from luban.core.protocols import Examples


def check_exporter(exporter: Exporter, model: Any, examples: Examples, folder: Path) -> dict[str, Any]:
    """Raise AssertionError where an exporter breaks the protocol; return what its export returned.

    Parameters
    ----------
    exporter : Exporter
    model : loaded model
        One that it supports.
    examples : Examples
        Rows of it.
    folder : Path
        An empty folder.
    """
    name = type(exporter).__name__
    assert isinstance(exporter, Exporter), f"{exporter!r} lacks a part of the protocol Exporter"
    answer = exporter.supports(model)
    assert isinstance(answer, Suitable), f"{name} does not take the model on: {answer}"
    assert not list(folder.iterdir()), f"{name}.supports writes files"
    inner = folder / "made" / "by the exporter"
    done = dict(exporter.export(model, str(inner), examples))
    path = Path(str(done["path"]))
    assert path.exists(), f"{name} says it wrote {path}, which is not there"
    assert path.is_relative_to(inner), f"{name} writes outside the folder it was given: {path}"
    difference = done["parity"]
    assert difference is None or (math.isfinite(difference) and difference >= 0), f"{name}: a parity of {difference}"
    json.dumps(to_json(done), allow_nan=False)
    written = sorted(one.relative_to(inner) for one in inner.rglob("*"))
    again = dict(exporter.export(model, str(inner), examples))
    assert again["path"] == done["path"], f"{name} writes to another path the second time"
    found = sorted(one.relative_to(inner) for one in inner.rglob("*"))
    assert found == written, f"{name} leaves other files the second time"
    assert "path" in exporter.export(model, str(folder / "without examples")), f"{name} needs examples"
    return done


def check_refusal(exporter: Exporter, model: Any, folder: Path) -> str:
    """Raise AssertionError unless an exporter refuses this model in words and writes nothing; return the reason."""
    name = type(exporter).__name__
    answer = exporter.supports(model)
    assert isinstance(answer, Unsuitable), f"{name} says that it takes the model on"
    assert answer.reason.strip(), f"{name} does not say why not"
    words = None
    try:
        exporter.export(model, str(folder / "refused"))
    except LubanError as error:
        words = str(error)
    assert words is not None, f"{name} exports a model that it does not support"
    assert words.strip(), f"{name} raises an error without words"
    assert not (folder / "refused").exists(), f"{name} leaves files of an export that failed"
    return answer.reason
