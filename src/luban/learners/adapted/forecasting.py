"""What reading all rows by frozen backbones would take, told by reading a few, and what would be lost of them."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from luban.core.kinds import MEANINGS
from luban.core.preparation import Glancing, Inspecting
from luban.core.protocols import Forecast
from luban.learners.adapted import frozen

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.report import Finding
    from luban.core.schema import Schema
    from luban.core.task import Task

# Rows of the first block, which makes buffers, and of those that are timed; each is twice as long as the one before.
_WARMING, _FIRST = 2, 4
_MOST_ROWS = 64
_SECONDS = 1.0
# A fit is worth beginning where so many rows can be read.
_LEAST_ROWS = 500


def forecast(schema: Schema, training: Examples, *, backbone: str | None, effort: Effort) -> Forecast:
    """Return what reading the rows would take, and the memory at the worst moment.

    Parameters
    ----------
    backbone : str, optional
        As for `frozen.make`.
    effort : Effort
        About a second of it is spent, where it has an end. Rows are read in the order in which a fit with this seed
        reads them.
    """
    from luban.foundation.training import device
    from luban.foundation.training.memory import Peak, resident, room_beside_the_machine

    table = training.table
    # A row that is slow to read must not end the look in an error: whoever asked ends it when it takes too long.
    unhurried = replace(effort, deadline=math.inf)
    order = np.random.default_rng(effort.seed).permutation(table.num_rows)
    place = device.here().device
    with Peak(place) as peak:
        made = frozen.make(schema, table, backbone=backbone, effort=unhurried)  # it is kept for the fits that follow
        begun = time.monotonic()
        made.transform(table.take(order[:_WARMING]), unhurried, quick=True)
        warming = time.monotonic() - begun
        count, taken, size = 0, 0.0, _FIRST
        # A vector differs in its last bits by what was read beside it: where no clock counts, none says what is kept.
        allowed = min(_SECONDS, 0.25 * effort.remaining) if math.isfinite(effort.deadline) else math.inf
        while _WARMING + count < min(table.num_rows, _MOST_ROWS) and (not count or taken < allowed):
            start = time.monotonic()
            rows = order[_WARMING + count : _WARMING + count + size]
            made.transform(table.take(rows), unhurried, quick=True)
            taken += time.monotonic() - start
            count, size = count + len(rows), 2 * size
    each = taken / count if count else warming / max(1, min(_WARMING, table.num_rows))
    room, vectors = room_beside_the_machine(place), 2 * 4 * made.width * table.num_rows
    return Forecast(
        seconds=warming + each * table.num_rows,
        memory=peak.bytes + (vectors if room is None else 0),
        note=f"a row takes {1e3 * each:.1f} ms to read, by {count:,} of them; learning from what was read comes on top",
        room=room,
        host=0 if room is None else resident() + vectors,  # what was read comes back from the device
        least=warming + each * min(table.num_rows, _LEAST_ROWS),
    )


def losses(task: Task, schema: Schema, training: Examples, *, backbone: str | None, effort: Effort) -> list[Finding]:
    """Return what is wrong with the labels, and what the preparations of the backbones would lose of these rows."""
    from luban.foundation.preflight import labels

    made = frozen.make(schema, training.table, backbone=backbone, effort=effort)
    return [*labels(task, training, None), *lost(made, schema, training.table)]


def lost(made: frozen.Frozen, schema: Schema, table: pa.Table) -> list[Finding]:
    """Return what the preparations of the backbones find wrong, or worth knowing, in the values of these rows.

    Whether files can be read was found out as they came in: of some the head is read, and nothing is decoded.
    """
    found: list[Finding] = []
    for part in made.parts:
        preparation = part.backbone.preparation(part.columns)
        if MEANINGS[schema.column(part.columns[0]).kind].file:
            found += preparation.glance(table) if isinstance(preparation, Glancing) else []
        elif isinstance(preparation, Inspecting):
            found += preparation.inspect(table)
    return found
