"""Tables whose pictures and sounds do not depend on where their files lie."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.data.media import marks
from luban.data.media.mapping import mapped
from luban.data.media.reference import content, data_uri, is_data_uri

if TYPE_CHECKING:
    from collections.abc import Callable


def sent(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows as a client sends them: pictures and sounds as content."""
    rows: list[dict[str, Any]] = _with(table, _as_content).to_pylist()
    return rows


def identified(table: pa.Table) -> pa.Table:
    """Return the table with the SHA-256 of their content in place of references to pictures and sounds."""
    return _with(table, lambda one: hashlib.sha256(content(one)).hexdigest())


def _as_content(reference: str) -> str:
    return reference if is_data_uri(reference) else data_uri(content(reference))


def _with(table: pa.Table, changed: Callable[[str], str]) -> pa.Table:
    for place, field in enumerate(table.schema):
        if marks.kind(field) is None:
            continue
        given = table[field.name].to_pylist()
        distinct = list(dict.fromkeys(one for one in given if one is not None))
        found = dict(zip(distinct, mapped(changed, distinct), strict=True))
        values = [None if one is None else found[one] for one in given]
        table = table.set_column(place, pa.field(field.name, pa.string()), pa.array(values, pa.string()))
    return table
