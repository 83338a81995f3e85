"""An operation's schema is read off its signature and docstring; its parts off installed metadata."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from luban.core import plugins
from luban.core.errors import MissingExtra, NotFound
from luban.core.operation import REQUIRED, operation


@operation(permission="models:write", long=True, name="things turn")
def turn(workspace: object, data: str, *, angle: float = 90.0, slow: bool = False) -> int:
    """Turn a thing.

    It may take a while.

    Parameters
    ----------
    data
        What to turn.
    angle : float
        How far,
        in degrees.
    slow
        With care.

    Returns
    -------
    int
        How often.
    """
    return len(data)


def test_operation_knows_its_schema() -> None:
    data, angle, slow = turn.parameters
    assert turn.name == "things turn"
    assert turn.summary == "Turn a thing."
    assert turn.description == "Turn a thing.\n\nIt may take a while."
    assert (data.positional, data.required, data.annotation) == (True, True, str)
    assert (angle.positional, angle.default, angle.description) == (False, 90.0, "How far, in degrees.")
    assert slow.annotation is bool
    assert data.default is REQUIRED
    assert turn.returns is int
    assert turn(None, "abc") == 3


@pytest.mark.parametrize("name", plugins.names("operations"))
def test_every_operation_tells_what_each_parameter_is(name: str) -> None:
    verb = plugins.load("operations", name)
    assert verb.name == name, "the entry point and the operation must agree on the verb"
    assert verb.summary.endswith(".")
    assert verb.permission.split(":")[1] in {"read", "write"}
    undocumented = [parameter.name for parameter in verb.parameters if not parameter.description]
    assert undocumented == []


def test_all_built_in_parts_can_be_imported() -> None:
    for group in (
        "sources",
        "modalities",
        "preparations",
        "learners",
        "searchers",
        "metrics",
        "checks",
        "exporters",
        "run_exporters",
        "executors",
        "wires",
    ):
        assert plugins.names(group), group
        for name in plugins.names(group):
            try:
                plugins.load(group, name)
            except MissingExtra as error:
                assert "pip install 'luban[" in str(error)  # noqa: PT017 - only extras may be absent


def test_unknown_part_gets_the_nearest_names() -> None:
    with pytest.raises(NotFound, match="lightgbm"):
        plugins.load("learners", "lihgtgbm")


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    for module in [name for name in sys.modules if name.startswith("luban.data.sources.excel")]:
        monkeypatch.delitem(sys.modules, module)
    source = None
    try:
        source = plugins.create("sources", "excel")
        list(source.read("book.xlsx"))
    except MissingExtra as error:
        assert "pip install 'luban[excel]'" in str(error)  # noqa: PT017
    else:
        pytest.fail(f"{source} must not work without its package")


HEAVY = ("numpy", "pyarrow", "pandas", "sklearn", "torch", "sqlalchemy", "starlette", "typer", "rich", "optuna", "onnx")


def test_importing_luban_loads_nothing_heavy() -> None:
    code = f"import sys, luban; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_listing_operations_loads_no_data_library() -> None:
    heavy = tuple(name for name in HEAVY if name not in {"typer", "rich"})
    code = (
        "import sys; from luban.core import plugins;"
        "[plugins.load('operations', name) for name in plugins.names('operations')];"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_public_attributes_are_the_verbs() -> None:
    luban = importlib.import_module("luban")
    assert {"fit", "predict", "load", "models", "data", "runs"} <= set(dir(luban))
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = luban.fitt
