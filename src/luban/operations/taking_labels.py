"""Labels that a server of models takes over the network, stored and recorded as by `luban feedback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.operations.feedback import FedBack
    from luban.store import Workspace


def taken(workspace: Workspace, given: Mapping[str, Any], actor: str | None) -> FedBack:
    """Store labels.

    Parameters
    ----------
    given : mapping
        The parameters of `luban.operations.feedback.feedback`; of data the rows, and no name of a file or a data set.
    actor : str, optional
        Who sent them; by default who serves.

    Raises
    ------
    InputError
        If they are not these parameters.
    """
    from luban.operations.feedback import feedback

    parameters = {one.name: one for one in feedback.parameters}
    for name in given:
        if name not in parameters:
            raise InputError(f"feedback has no parameter {name!r:.100}", remedy=f"Parameters: {', '.join(parameters)}.")
    for name, parameter in parameters.items():
        if name not in given and parameter.required:
            raise InputError(f"feedback needs {name}", remedy=parameter.description)
        value = given.get(name, "")
        if name != "data" and not isinstance(value, str):
            raise InputError(f"{name} must be text", seen=type(value).__name__)
    if not isinstance(given["data"], list | dict):
        raise InputError(
            "labels come as rows here",
            seen=type(given["data"]).__name__,
            remedy='Send "data": [{"request_id": "...", "label": ...}, ...]; files are for luban feedback.',
        )
    if actor is None:
        return _stored(workspace, given)
    with workspace.acting(actor) as place:
        return _stored(place, given)


def _stored(workspace: Workspace, given: Mapping[str, Any]) -> FedBack:
    from luban.core.paths import paths_refused
    from luban.operations.feedback import feedback

    with paths_refused():
        found: FedBack = feedback(workspace, **given)
    workspace.audit.append(feedback.name, "", {name: one for name, one in given.items() if isinstance(one, str)})
    return found
