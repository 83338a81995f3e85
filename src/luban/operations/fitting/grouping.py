"""What decides which rows judge: groups that stay together, or time that goes forward."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luban.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.core.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """The columns that decide.

    Parameters
    ----------
    group : str, optional
        Rows of one of its values are never on both sides.
    time : str, optional
        Rows are judged by models that learnt from earlier ones only.
    notes : tuple of str
    """

    group: str | None = None
    time: str | None = None
    notes: tuple[str, ...] = ()


def grouping(schema: Schema, target: str, *, group: str | None, time: str | None) -> Grouping:
    """Return what decides: what was asked for, else what the data set was imported with.

    Raises
    ------
    NotFound
        With the nearest names, if there is no such column.
    InputError
        If both are asked for, or one is the target.
    """
    if group is not None and time is not None:
        raise InputError(
            "groups and time cannot both decide which rows judge",
            seen=f"group {group!r}, time {time!r}",
            remedy="Name time where later rows will be predicted, the group where new groups will.",
        )
    for name, part in ((group, "group"), (time, "time")):
        if name is not None:
            schema.column(name)
            if name == target:
                raise InputError(f"the target {name!r} cannot be the {part} as well", remedy="Name another column.")
    if group is None and time is None:
        group, time = (one if one != target else None for one in (schema.group, schema.time))
    if time is None:
        return Grouping(group=group)
    notes = [f"Each model is judged on rows that are later, by {time!r}, than all it learnt from."]
    if group is not None:
        notes.append(f"As time decides, rows of one {group!r} may be earlier and later ones.")
    return Grouping(time=time, notes=tuple(notes))


def with_roles(schema: Schema, found: Grouping) -> Schema:
    """Return the schema in which the deciding column has its role, and so is no input."""
    if found.group is not None:
        schema = replace(schema.with_role("group", found.group), group=found.group)
    if found.time is not None:
        schema = replace(schema.with_role("time", found.time), time=found.time)
    return schema


def group_codes(table: pa.Table, group: str | None) -> np.ndarray | None:
    """Return the code of the group of each row, shape (n,).

    Raises
    ------
    InputError
        If all rows are of one group.
    """
    if group is None:
        return None
    encoded = table.column(group).combine_chunks().dictionary_encode(null_encoding="encode")
    codes: np.ndarray = encoded.indices.to_numpy(zero_copy_only=False)
    if not len(codes) or codes.max() == 0:
        raise InputError(f"all rows are of one {group!r}", remedy="Name another group column, or none.")
    return codes


def moments(table: pa.Table, schema: Schema, time: str | None) -> np.ndarray | None:
    """Return the rank in time of each row, shape (n,): equal moments have equal ranks, unknown ones come first.

    Raises
    ------
    InputError
        If the column has no order in time, or says nothing of it.
    """
    if time is None:
        return None
    from luban.data.conform import conform
    from luban.data.split import ranks

    column = schema.column(time)
    values = conform(table.select([time]), [column]).table.column(0).combine_chunks()
    # A time that is written as text, such as 2024-Q3, is sorted as it is.
    if column.kind not in ("date", "number") and not (column.kind == "category" and _all_have_digits(values)):
        raise InputError(
            f"{time!r} is no time: its values have no order",
            seen=f"a column of kind {column.kind}",
            remedy="Name a column of dates or numbers.",
        )
    if values.null_count * 2 > len(values):
        raise InputError(
            f"the time {time!r} is missing in most rows",
            seen=f"{values.null_count:,} of {len(values):,}",
            remedy="Name another time column, or none.",
        )
    found = ranks(values)
    if found.max() == found.min():
        raise InputError(f"all rows are of one {time!r}", remedy="Name another time column, or none.")
    return found


def _all_have_digits(values: pa.Array) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(values.drop_null().unique(), "[0-9]")).as_py())
