"""Going back: a former champion that is better on the rows since it was replaced may answer again.

A challenger is chosen by fresh rows, and the best of several is often there by luck; the world may also turn back. Rows
that came after a champion took over have chosen nobody, and none of its predecessors has learnt from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core import plugins
from luban.core.errors import NotFound
from luban.operations.updating.material import FEWEST
from luban.operations.updating.trigger import subject_runs

if TYPE_CHECKING:
    from luban.core.contest import Limit
    from luban.core.model import ModelVersion
    from luban.core.update import UpdatePolicy
    from luban.operations.updating.material import Material
    from luban.operations.updating.rows import Rows
    from luban.operations.updating.subject import Subject
    from luban.store import Workspace

FORMER = 3
"""Champions that are remembered."""

JUDGE = "quality"
"""The gate that a former champion must pass. What the others measure, such as its size, did not keep it from answering
before, and where it is the better one each hour that it waits costs."""


def limits(policy: UpdatePolicy) -> dict[str, Limit | None]:
    """Return the limits of the gates for a former champion: all are off but one, which is as the policy has it."""
    off: dict[str, Limit | None] = dict.fromkeys(plugins.names("gates"))
    del off[JUDGE]
    return {**off, **{name: limit for name, limit in policy.gates.items() if name == JUDGE}}


def better_before(workspace: Workspace, subject: Subject, material: Material) -> tuple[str, Rows] | None:
    """Return the former champion with the best score on the rows since the present one was judged, and these rows.

    None where there are too few such rows, where nobody was replaced by an update, or where none has a better score.
    That it is no chance is for the gates to say.
    """
    tags = [workspace.runs.tags(run.id) for run in subject_runs(workspace, subject)]
    replaced = {str(one["challenger"]): place for place, one in reversed([*enumerate(tags)]) if "challenger" in one}
    latest = replaced.get(subject.champion.reference)
    if latest is None or tags[latest].get("newest") is None:
        return None
    rows = material.later(str(tags[latest]["newest"]))
    if len(rows) < FEWEST:
        return None
    found: list[ModelVersion] = []
    at: int | None = latest
    seen = {subject.champion.reference}
    while at is not None and len(found) < FORMER:
        reference = str(tags[at]["champion"])
        if reference in seen:
            break
        seen.add(reference)
        try:
            version = workspace.models.get(reference)
        except NotFound:  # it was deleted
            break
        if version.task == subject.champion.task:
            found.append(version)
        at = replaced.get(reference)
    best = _best(workspace, subject.champion, found, rows)
    return None if best is None else (best, rows)


def _best(workspace: Workspace, champion: ModelVersion, former: list[ModelVersion], rows: Rows) -> str | None:
    from luban.evaluation.metrics import metric
    from luban.operations.loading import fitted

    judged = metric(champion.task.metric)
    sign = 1.0 if judged.greater_is_better else -1.0

    def score(version: ModelVersion) -> float:
        prediction = fitted(workspace, version.reference).model.predict(rows.table)
        return sign * judged(champion.task, rows.target, prediction)

    least, best = score(champion), None
    for version in former:
        reached = score(version)
        if reached > least:
            least, best = reached, version.reference
    return best
