"""Champion against challenger on the fresh rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.contest import Contest, Contestant
from luban.core.schema import Schema
from luban.operations.updating.choice import examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.contest import Limit
    from luban.core.model import ModelVersion
    from luban.core.report import Report
    from luban.operations.updating.rows import Rows
    from luban.store import Workspace


def judged(
    workspace: Workspace,
    champion: str,
    challenger: str,
    fresh: Rows,
    limits: Mapping[str, Limit | None],
    *,
    seed: int = 0,
    beside: bool = True,
) -> tuple[Report, str]:
    """Return what the gates say of two versions on fresh rows, and the digest of that report.

    Parameters
    ----------
    beside : bool
        Whether it is kept beside the challenger too.
    """
    from luban.core.serial import to_json
    from luban.review.gates.run import run

    first, second = workspace.models.get(champion), workspace.models.get(challenger)
    contest = Contest(
        task=first.task,
        schema=Schema(columns=first.signature.inputs),
        fresh=examples(fresh),
        champion=_contestant(workspace, first, fresh),
        challenger=_contestant(workspace, second, fresh),
        seed=seed,
        budget=_budget(workspace, second) if beside else "",  # else it learnt nothing for this contest
    )
    report = run(contest, limits)
    if beside:
        workspace.models.attach_report(challenger, report.check, workspace.blobs.put_json(to_json(report)))
    return report, workspace.reports.add(report)


def _budget(workspace: Workspace, version: ModelVersion) -> str:
    """Return the option that said how long a version learns, as the request of its run has it."""
    request = {} if version.run is None else workspace.runs.get(version.run).request
    return next((f"--{name}" for name in ("rounds", "budget") if request.get(name) is not None), "")


def _contestant(workspace: Workspace, version: ModelVersion, fresh: Rows) -> Contestant:
    from luban.learners import artifact
    from luban.operations.loading import runtime

    ready = runtime(workspace, version.reference)
    manifest = artifact.read_manifest(workspace.blobs, version.artifact)
    return Contestant(
        reference=version.reference,
        prediction=ready.values(fresh.table),
        answer=lambda row: ready.predict_row(row, missing="fill"),
        size=sum(one.size for one in (*manifest.payloads.values(), *manifest.extra.values())),
        threshold=ready.threshold,
        reports={check: workspace.reports.get(digest) for check, digest in version.reports.items()},
    )
