"""MLflow's filters of runs as conditions of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.store.run_search import SIGNS, Clause, Order
from luban.surfaces.mlflow.fields import moment
from luban.surfaces.mlflow.filters import parse, parse_order
from luban.surfaces.mlflow.shapes import STATES, STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.run import Run
    from luban.store import Workspace
    from luban.surfaces.mlflow.filters import Term

_ATTRIBUTES: Mapping[str, str] = {
    "run_id": "id",
    "run_name": "name",
    "run name": "name",
    "Run name": "name",
    "Run Name": "name",
    "status": "state",
    "user_id": "actor",
    "start_time": "started",
    "created": "started",
    "Created": "started",
    "end_time": "ended",
    # of logged models
    "model_id": "id",
    "name": "name",
    "source_run_id": "parent",
    "creation_timestamp": "started",
    "creation_time": "started",
    "last_updated_timestamp": "ended",
}
_MOMENTS = ("started", "ended")
# Tags in which MLflow keeps what has a place of its own here.
_TAGS = {"mlflow.runName": "name", "mlflow.parentRunId": "parent"}
_EQUAL = {"=", "!=", "IN", "NOT IN"}
_TEXT = {*_EQUAL, "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"}


def find(
    workspace: Workspace,
    filter_: str,
    order: Sequence[str],
    *,
    experiments: Sequence[int],
    deleted: bool | None,
    limit: int,
    offset: int,
    operation: str | None = None,
    without: Sequence[str] = (),
) -> list[Run]:
    """Return a page of the runs, or of the records of one operation, that fit."""
    clauses = [_clause(term) for term in parse(filter_)]
    if operation is not None:
        clauses.append(Clause(kind="attribute", key="operation", sign="=", value=operation))
    keys = []
    for one in parse_order(order):
        kind, key = _place(one.entity, one.key)
        keys.append(Order(kind=kind, key=key, descending=one.descending))
    return workspace.runs.search(
        clauses, keys, experiments=experiments, deleted=deleted, without=without, limit=limit, offset=offset
    )


def deleted_in(view: str) -> bool | None:
    """Return which runs a view shows, as `luban.store.runs.Runs.search` asks."""
    views: Mapping[str, bool | None] = {"ACTIVE_ONLY": False, "DELETED_ONLY": True, "ALL": None}
    if view not in views:
        raise InputError(f"the run_view_type is one of {', '.join(views)}", seen=view[:40])
    return views[view]


def _place(entity: str, key: str) -> tuple[Any, str]:
    if entity == "dataset":
        raise InputError("runs cannot be searched by their data sets here", seen=f"datasets.{key}"[:100])
    if entity == "tag" and key in _TAGS:
        return "attribute", _TAGS[key]
    if entity != "attribute":
        return entity, key
    if key not in _ATTRIBUTES:
        raise InputError(
            f"Invalid attribute key '{key[:100]}'", remedy=f"Valid keys are {', '.join(sorted(_ATTRIBUTES))}."
        )
    return "attribute", _ATTRIBUTES[key]


def _clause(term: Term) -> Clause:
    kind, key = _place(term.entity, term.key)
    sign, value = term.sign, term.value
    is_number = isinstance(value, int | float)
    if kind == "metric" or (kind == "attribute" and key in _MOMENTS):
        if sign not in SIGNS or not is_number:
            raise InputError(f"{term.key} is compared with a number", seen=f"{sign} {value!r}"[:100])
        if kind == "metric":
            return Clause(kind=kind, key=key, sign=sign, value=float(value))
        if not 0 <= value < 253402300799000:
            raise InputError(f"{term.key} is compared with milliseconds since 1970", seen=repr(value)[:100])
        return Clause(kind=kind, key=key, sign=sign, value=moment(int(value)))
    if sign not in _TEXT or is_number:
        raise InputError(f"{term.key} is compared with a quoted text", seen=f"{sign} {value!r}"[:100])
    if kind == "attribute" and key == "state":
        return _of_state(term)
    if kind == "attribute" and term.key == "model_id":
        value = [one.removeprefix("m-") for one in value] if isinstance(value, list) else str(value).removeprefix("m-")
    return Clause(kind=kind, key=key, sign=sign, value=value)


def _of_state(term: Term) -> Clause:
    if term.sign not in _EQUAL:
        raise InputError("the status is compared by =, !=, IN and NOT IN", seen=term.sign)
    wanted = term.value if isinstance(term.value, list) else [term.value]
    names = {str(one).upper() for one in wanted}
    if not names <= set(STATES):
        raise InputError(f"the status of a run is one of {', '.join(STATES)}", seen=repr(wanted)[:100])
    states = [state for state, status in STATUS.items() if status in names]
    return Clause(kind="attribute", key="state", sign="IN" if term.sign in ("=", "IN") else "NOT IN", value=states)
