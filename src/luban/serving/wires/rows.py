"""What protocols have in common that send rows in JSON: as objects, as lists of values, or column by column."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from luban.core.errors import InputError
from luban.data.media.endings import KINDS
from luban.serving.wires.tensors import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.schema import Column
    from luban.serving.routed import Routed


class Rows(NamedTuple):
    """Rows that a request asks for (`luban.serving.computing.Asked`).

    ``how`` is what the wire must remember to write the answer; ``short`` whether one row may be answered by the short
    way, which says in labels what outputs say in arrays.
    """

    records: list[dict[str, Any]]
    missing: Literal["error", "fill"] = "error"
    how: str = ""
    short: bool = True

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.records)

    @property
    def data(self) -> Any:
        """The only row, or all."""
        return self.records[0] if self.short and len(self.records) == 1 else self.records


def rows_of(values: Any, columns: Mapping[str, Column], field: str) -> list[dict[str, Any]]:
    """Return rows of a list of objects, of lists of values in the order of the columns, or of values of the one column.

    Raises
    ------
    InputError
        Naming the row.
    """
    if not isinstance(values, list):
        raise InputError(f"{field} must be a list of rows", seen=type(values).__name__)
    found = [_row(one, columns, place) for place, one in enumerate(values)]
    for place, record in enumerate(found):
        check_record(record, place)
    return found


def rows_of_columns(values: Mapping[str, Any], columns: Mapping[str, Column], field: str) -> list[dict[str, Any]]:
    """Return rows of lists by column name.

    Raises
    ------
    InputError
        If the lists differ in length, or one is none.
    """
    if not values:
        raise InputError(f"{field} has no columns")
    lengths = {}
    for name, one in values.items():
        if not isinstance(one, list):
            raise InputError(f"the column {name!r} of {field} must be a list", seen=type(one).__name__)
        lengths[name] = len(one)
    if len(set(lengths.values())) > 1:
        raise InputError(f"the columns of {field} have different lengths", seen=repr(lengths)[:200])
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return rows_of(rows, columns, field)


def check_record(record: Any, place: int) -> None:
    """Raise `InputError` where a record is no object of plain values."""
    if not isinstance(record, dict):
        raise InputError("each row must be a JSON object", seen=f"{type(record).__name__} in row {place + 1}")
    for name, value in record.items():
        wrong = None if is_text(name) else "a name that holds half a character"
        if isinstance(value, dict) or (isinstance(value, list) and not all(map(is_text, value))):
            wrong = "a nested value"
        elif isinstance(value, str):
            wrong = wrong if is_text(value) else "half a character"
        elif type(value) is int and not -(2**63) <= value < 2**63:
            wrong = "a whole number of more than 64 bits"
        if wrong:
            raise InputError(f"the column {name!r} holds {wrong}", seen=f"row {place + 1}")


def outputs_of(found: Any) -> dict[str, list[Any]]:
    """Return the outputs of an answer by name, row by row, as JSON has them."""
    if isinstance(found, dict):
        return {name: [list(one.values()) if isinstance(one, dict) else one] for name, one in found.items()}
    return {name: values.tolist() for name, values in found.outputs.items()}


def short(routed: Routed) -> bool:
    """Return whether the short answer to one row says the same as the outputs of many."""
    return routed.empty.decided is None


def _row(value: Any, columns: Mapping[str, Column], place: int) -> dict[str, Any]:
    if isinstance(value, dict) and set(value) != {"b64"}:
        return {name: _plain(one, columns.get(name), place) for name, one in value.items()}
    values = value if isinstance(value, list) else [value]
    if len(values) != len(columns):
        raise InputError(
            f"row {place + 1} has {len(values)} values and the model {len(columns)} columns",
            remedy=f"Send objects, or values in this order: {', '.join(list(columns)[:8])}.",
        )
    return {name: _plain(one, columns[name], place) for name, one in zip(columns, values, strict=True)}


def _plain(value: Any, column: Column | None, place: int) -> Any:
    """Return a value without what wraps it: a list of one (a tensor of that shape), or ``{"b64": ...}``."""
    if isinstance(value, list) and len(value) == 1 and column is not None and not isinstance(value[0], str):
        value = value[0]
    if not isinstance(value, dict):
        return value
    text = value.get("b64")
    if set(value) != {"b64"} or not isinstance(text, str):
        return value
    name = "" if column is None else column.name
    try:
        content = base64.b64decode(text, validate=True)
        if column is None or column.kind in KINDS:
            return text
        return content.decode("utf-8")
    except (binascii.Error, ValueError):
        raise InputError(f"the column {name!r} holds a b64 that is none", seen=f"row {place + 1}") from None
