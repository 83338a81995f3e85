"""The narrowest type that holds every value of a column of text, found block by block.

Types are found in one pass over all rows and applied in a second, so that a word in row 900,000 of a
column of integers widens the column instead of breaking the import half-way.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

# Read as missing in every column, as pandas does ("None" is a value: many tables use it as a level).
NULL_WORDS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "<NA>", "#NA")
_ORDER = ("nothing", "boolean", "integer", "number", "text")
_TYPES = {
    "nothing": pa.null(),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
}
_TRUE = pa.array(["true", "True", "TRUE"])
_BOOLEANS = pa.array(["true", "True", "TRUE", "false", "False", "FALSE"])
# A leading zero marks a code (a postcode, an article number), which a number would lose.
_CODE = r"^[+-]?0[0-9xX]"
_PARTED = r"^[+-]?\d{1,3}(,\d\d\d)+(\.\d*)?$"


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """What a column of text can be read as, given the blocks seen so far.

    Parameters
    ----------
    kind : str
        ``nothing``, ``boolean``, ``integer``, ``number`` or ``text``.
    decimal : str
        The decimal mark, ``.`` or ``,``; the other one may part thousands.
    nulls : tuple of str
        Words that mean "missing".
    """

    kind: str = "nothing"
    decimal: str = "."
    nulls: tuple[str, ...] = field(default=NULL_WORDS)

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        return _TYPES[self.kind]

    def seen(self, values: pa.Array) -> Narrowing:
        """Return what the column can be read as when `values` (strings) are among its blocks."""
        values = self._plain(values)
        if values.null_count == len(values):
            return self
        for kind in _ORDER[1:]:
            if _ORDER.index(kind) < _ORDER.index(self.kind) or (kind != "text" and self.kind == "boolean" != kind):
                continue
            if replace(self, kind=kind)._convert(values) is not None:
                return replace(self, kind=kind)
        return replace(self, kind="text")

    def apply(self, values: pa.Array) -> pa.Array:
        """Return the values in the type that was found."""
        converted = self._convert(self._plain(values))
        if converted is None:  # the file changed between the two passes
            raise pa.ArrowInvalid(f"a value is no {self.kind}")
        return converted

    def _plain(self, values: pa.Array) -> pa.Array:
        missing = pc.is_in(values, value_set=pa.array(self.nulls, pa.string()))
        return pc.if_else(missing, pa.scalar(None, pa.string()), values) if pc.any(missing).as_py() else values

    def _convert(self, values: pa.Array) -> pa.Array | None:
        if self.kind == "text":
            return values
        if self.kind == "nothing":
            return pa.nulls(len(values)) if values.null_count == len(values) else None
        if self.kind == "boolean":
            fits = pc.all(pc.is_in(values.drop_null(), value_set=_BOOLEANS)).as_py()
            known = pc.is_in(values, value_set=_TRUE)
            return pc.if_else(pc.is_null(values), pa.scalar(None, pa.bool_()), known) if fits else None
        values = pc.utf8_trim_whitespace(values)
        if pc.any(pc.match_substring_regex(values, _CODE)).as_py():
            return None
        if self.decimal != ".":
            if pc.any(pc.match_substring_regex(values, r"[.]\d{1,2}$|[.]\d{4,}|[.]\d+[.]\d{1,2}$")).as_py():
                return None  # a point that cannot part thousands
            values = pc.replace_substring(values, ".", "")
            values = pc.replace_substring(values, self.decimal, ".")
        else:
            parted = pc.match_substring(values, ",")
            if pc.any(parted).as_py():
                if not pc.all(pc.match_substring_regex(values.filter(parted), _PARTED)).as_py():
                    return None
                values = pc.replace_substring(values, ",", "")
        try:
            return values.cast(self.type)
        except pa.ArrowInvalid:
            return None
