"""What the columns of a table are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from luban.core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["number", "category", "boolean", "date", "text", "image", "audio", "nested"]
Role = Literal["input", "target", "time", "group", "key", "weight", "ignored"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
    kind : Kind
        What its values mean, whatever their storage.
    role : Role
        What it is used for.
    nullable : bool
        Whether missing values were seen.
    storage : str
        The Arrow type of its values as text, such as ``"int64"`` or ``"string"``.
    """

    name: str
    kind: Kind
    role: Role = "input"
    nullable: bool = True
    storage: str = "string"


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The columns of a table, in order, and the ones with a special part."""

    columns: tuple[Column, ...]
    time: str | None = None
    group: str | None = None
    key: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns a model may learn from, in order."""
        return tuple(column for column in self.columns if column.role == "input")

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column of this name, or raise `NotFound` with the nearest names."""
        for column in self.columns:
            if column.name == name:
                return column
        raise NotFound.named("column", name, self.names)

    def select(self, names: Iterable[str]) -> Schema:
        """Return the schema of these columns only, in the order given."""
        return replace(self, columns=tuple(self.column(name) for name in names))

    def with_role(self, role: Role, *names: str) -> Schema:
        """Return the schema with this role given to these columns."""
        for name in names:
            self.column(name)
        return replace(
            self,
            columns=tuple(replace(column, role=role) if column.name in names else column for column in self.columns),
        )
