"""Parts of dates, by whole-number arithmetic on microseconds since 1970.

The calendar is the proleptic Gregorian one; days become years by the algorithm *civil_from_days* (H. Hinnant,
"chrono-Compatible Low-Level Date Algorithms", 2013). Its years begin in March, so that the leap day is their last,
and its eras are 400 years; the rest is looked up by the day of such a year and the year of the era.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.modalities.tabular.arithmetic import NUMERICAL, Symbolic
from luban.modalities.tabular.columns import MISSING_DATE
from luban.modalities.tabular.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.modalities.tabular.arithmetic import Arithmetic
    from luban.modalities.tabular.columns import Columns
    from luban.modalities.tabular.graph_columns import GraphColumns
    from luban.modalities.tabular.payload import Reader, Writer

HOUR, DAY = 3_600_000_000, 86_400_000_000  # microseconds
FIRST = -719_162 * DAY  # 0001-01-01; a date before it counts as it
LAST = 2_932_897 * DAY - 1  # the end of 9999-12-31; a date after it counts as it
_EPOCH = 719_468 * DAY  # from 0000-03-01 to 1970-01-01

PARTS = ("year", "month", "day", "weekday", "hour", "day_of_year", "is_month_end", "elapsed")
CYCLES = ("month", "weekday", "hour", "day_of_year")

_MARCH_TO_FEBRUARY = [date(2023, 3, 1) + timedelta(days=i) for i in range(366)]
_MONTH = np.array([one.month for one in _MARCH_TO_FEBRUARY])
_DAY = np.array([one.day for one in _MARCH_TO_FEBRUARY])
_MONTH_END = np.array([int((one + timedelta(days=1)).day == 1) for one in _MARCH_TO_FEBRUARY])
# By year of the era: the day of the calendar year on which its March begins; whether its February ends on the 28th.
_FIRST_OF_MARCH = np.array([60 + isleap(2000 + year) for year in range(400)])
_SHORT_FEBRUARY = np.array([int(not isleap(2001 + year)) for year in range(400)])


def _circle(values: int, first: int) -> np.ndarray:
    """Return sine and cosine of `values` equal steps round a circle, counted from `first`; float32."""
    angle = 2 * np.pi * (np.arange(values + first) - first) / values
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


_CIRCLES = {"month": _circle(12, 1), "weekday": _circle(7, 0), "hour": _circle(24, 0), "day_of_year": _circle(366, 1)}


@dataclass(frozen=True)
class Dates:
    """Year, month, day, weekday (Monday 0), hour, day of the year, month end and elapsed seconds of columns.

    Parameters
    ----------
    names : tuple of str
    origins : numpy.ndarray
        The earliest date of each column in training, in microseconds: `elapsed` counts from it. int64, (names,).
    cyclic : bool
        Whether month, weekday, hour and day of the year are added as sine and cosine.
    """

    kind: ClassVar[str] = "dates"
    names: tuple[str, ...]
    origins: np.ndarray
    cyclic: bool

    @property
    def features(self) -> tuple[Feature, ...]:
        """The first part of every column, then the second part of every column, and so on."""
        parts = [(name, part) for part in PARTS for name in self.names]
        if self.cyclic:
            parts += [(name, f"{part}_{wave}") for part in CYCLES for name in self.names for wave in ("sin", "cos")]
        return tuple(Feature(name=f"{name}.{part}", sources=(name,)) for name, part in parts)

    @classmethod
    def fit(cls, columns: Columns, names: tuple[str, ...], *, cyclic: bool) -> tuple[Dates, np.ndarray]:
        """Return the block and the matrix of the training rows."""
        moments = columns.microseconds(names)
        known = np.where(moments == MISSING_DATE, LAST, np.clip(moments, FIRST, LAST))
        block = cls(names, known.min(axis=0, initial=LAST), cyclic)
        return block, block._parts(NUMERICAL, moments)

    def transform(self, columns: Columns) -> np.ndarray:
        """Return the matrix, shape (rows, parts * names)."""
        matrix: np.ndarray = self._parts(NUMERICAL, columns.microseconds(self.names))
        return matrix

    def to_graph(self, columns: GraphColumns) -> str:
        """Return the tensor of the matrix."""
        tensor: str = self._parts(Symbolic(columns.graph), columns.microseconds(self.names))
        return tensor

    def _parts(self, do: Arithmetic, moments: Any) -> Any:
        def whole(number: int) -> np.ndarray:
            return np.array(number, dtype=np.int64)

        missing = do.binary("Equal", moments, whole(MISSING_DATE))
        moments = do.clip(moments, whole(FIRST), whole(LAST))
        since_march = do.binary("Add", moments, whole(_EPOCH))  # of the year 0, so that nothing is negative
        days = do.binary("Div", since_march, whole(DAY))
        era = do.binary("Div", days, whole(146_097))
        day_of_era = do.binary("Mod", days, whole(146_097))
        leap_days = do.binary(  # 365 days a year but for these
            "Sub",
            do.binary("Add", do.binary("Div", day_of_era, whole(1460)), do.binary("Div", day_of_era, whole(146_096))),
            do.binary("Div", day_of_era, whole(36_524)),
        )
        year_of_era = do.binary("Div", do.binary("Sub", day_of_era, leap_days), whole(365))
        before = do.binary(  # days of the era before this year
            "Sub",
            do.binary("Add", do.binary("Mul", year_of_era, whole(365)), do.binary("Div", year_of_era, whole(4))),
            do.binary("Div", year_of_era, whole(100)),
        )
        day = do.binary("Sub", day_of_era, before)  # of the year that begins in March
        new_year = do.binary("GreaterOrEqual", day, whole(306))
        short = do.binary(
            "Mul",
            do.cast(do.binary("Equal", day, whole(364)), "int64"),
            do.gather(_SHORT_FEBRUARY, year_of_era),
        )
        year = do.binary("Add", do.binary("Mul", era, whole(400)), year_of_era)
        found = {
            "year": do.binary("Add", year, do.cast(new_year, "int64")),
            "month": do.gather(_MONTH, day),
            "day": do.gather(_DAY, day),
            "weekday": do.binary("Mod", do.binary("Add", days, whole(2)), whole(7)),
            "hour": do.binary("Div", do.binary("Mod", since_march, whole(DAY)), whole(HOUR)),
            "day_of_year": do.binary(
                "Add", day, do.where(new_year, whole(-305), do.gather(_FIRST_OF_MARCH, year_of_era))
            ),
            "is_month_end": do.binary("Add", do.gather(_MONTH_END, day), short),
        }
        seconds = do.binary(
            "Div",
            do.cast(do.binary("Sub", moments, self.origins[None, :]), "float64"),
            np.array(1e6, dtype=np.float64),
        )
        nothing = np.array(np.nan, dtype=np.float32)
        parts = [do.cast(do.concatenate([found[part] for part in PARTS[:-1]]), "float32"), do.cast(seconds, "float32")]
        gaps = [missing] * len(PARTS)
        if self.cyclic:
            width = 2 * len(self.names)
            parts += [do.reshape(do.gather(_CIRCLES[part], found[part]), (-1, width)) for part in CYCLES]
            twice = do.gather(missing, np.repeat(np.arange(len(self.names)), 2), axis=1)
            gaps += [twice] * len(CYCLES)
        return do.where(do.concatenate(gaps), nothing, do.concatenate(parts))

    def save(self, writer: Writer) -> Mapping[str, Any]:
        """Return the parameters."""
        return {"names": list(self.names), "origins": writer.put(self.origins), "cyclic": self.cyclic}

    @classmethod
    def load(cls, reader: Reader) -> Dates:
        """Return the block that `save` wrote."""
        names = reader.texts("names")
        origins = reader.array("origins", "int64", (len(names),))
        if ((origins < FIRST) | (origins > LAST)).any():
            raise reader.wrong("'origins' is no date")
        return cls(names, origins, reader.flag("cyclic"))
