"""Deploy: a model answers under a name that stays while versions change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from luban.core.errors import InputError, NotFound, Unsupported
from luban.core.model import Deployment
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
    from luban.store import Workspace


@operation(permission="deployments:write", about=("name", "model"), existing=True)
def deploy(
    workspace: Workspace,
    name: str,
    model: str | None = None,
    *,
    canary: str | None = None,
    shadow: bool = False,
    log: str | None = None,
    keep: int | None = None,
    media: Literal["keep", "off"] | None = None,
    update: Literal["drift", "labels", "schedule", "off"] | None = None,
    reason: str = "",
) -> Deployment:
    """Let a model answer under a name: at once, for a share of the rows, or in the shadow of the version that answers.

    A running `luban serve NAME` follows within a second; no request fails meanwhile. The same row always goes to the
    same version. A canary that fails, is slow or is wrong more often than the champion is rolled back by itself.

    Parameters
    ----------
    name
        The name of the deployment, new or not.
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS; by default the one that is named like the deployment. With
        settings alone (log, keep, media, update) of a deployment that is there, what answers stays.
    canary
        Share of the rows that it answers beside the champion, such as `5%`; without it all.
    shadow
        Let it see every row and answer none.
    log
        How many requests the prediction log keeps: `full`, a share such as `10%`, or `off`.
    keep
        Days after which the prediction log forgets.
    media
        Pictures and sounds in the prediction log: `keep` their content, so that the model can be updated from it, or
        `off`, their digest alone.
    update
        Let the server update the model by itself: on `drift` that monitoring sees, on new `labels`, or by `schedule`,
        each hour; `off` ends that. `luban updates set` says more.
    reason
        Why.
    """
    from luban.operations.loading import checked
    from luban.operations.shares import log_share, share

    before = _existing(workspace, name)
    stays = before is not None and model is None and canary is None and not shadow
    stays = stays and any(one is not None for one in (log, keep, media, update))
    version = checked(workspace, before.champion if before is not None and stays else model or name)
    if version.task.kind == "foreign":
        raise Unsupported(
            f"{version.reference} is another tool's model: Luban keeps it, but cannot answer with it",
            remedy="Serve it with that tool: mlflow models serve -m models:/NAME/VERSION.",
        )
    champion = None if before is None else workspace.models.get(before.champion)
    if canary is not None and shadow:
        raise InputError("a model cannot be a canary and a shadow at once", remedy="Leave --canary or --shadow out.")
    if (canary is not None or shadow) and (before is None or champion is None):
        raise NotFound(
            f"no deployment is named {name!r}, so there is no champion to compare with",
            remedy=f"First run: luban deploy {name} MODEL",
        )
    traffic, shadowing = {version.reference: 1.0}, None if before is None else before.shadow
    if canary is not None or shadow:
        assert before is not None
        assert champion is not None
        check_alike(champion, version)
    if canary is not None and champion is not None:
        part = share(canary, "rows for the canary")
        if version.reference == champion.reference or not 0 < part < 1:
            raise InputError(
                "a canary is another version than the champion, with a share between 0 and 100%",
                seen=f"{version.reference} {canary}, champion {champion.reference}",
            )
        traffic = {champion.reference: 1 - part, version.reference: part}
    elif before is not None and (shadow or stays):
        traffic, shadowing = dict(before.traffic), version.reference if shadow else before.shadow
    if shadowing in traffic:
        if shadow:
            raise InputError(f"{version.reference} answers already", remedy="A shadow is a version that does not.")
        shadowing = None  # it has come out of the shadow
    keeps_media = media == "keep" if media is not None else before is not None and before.media
    if update in ("drift", "labels", "schedule"):
        from luban.operations.updating.subject import check_logged, check_updatable

        check_updatable(version)
        check_logged(version, media=keeps_media)
    deployed = workspace.deployments.set(
        name,
        traffic,
        shadow=shadowing,
        replicas=1 if before is None else before.replicas,
        log=log_share(log) if log is not None else 1.0 if before is None else before.log,
        keep=keep if keep is not None or before is None else before.keep,
        media=keeps_media,
        reason=reason,
        expected=before,
    )
    if update is not None:
        _updated(workspace, name, update)
    return deployed


def _updated(workspace: Workspace, name: str, update: Literal["drift", "labels", "schedule", "off"]) -> None:
    """Let a server update the deployment by itself, or no more."""
    from luban.core.update import UpdatePolicy

    if update != "off":
        workspace.policies.set(name, UpdatePolicy(on=update))
    elif name in workspace.policies.list():
        workspace.policies.remove(name)


def _existing(workspace: Workspace, name: str) -> Deployment | None:
    return next((one for one in workspace.deployments.list() if one.name == name), None)


def check_alike(champion: ModelVersion, other: ModelVersion) -> None:
    """Raise `InputError` where a version cannot answer what the champion is asked."""
    asked = {column.name: column.kind for column in champion.signature.inputs}
    unknown = [column.name for column in other.signature.inputs if asked.get(column.name) != column.kind]
    wrong = None
    if unknown:
        wrong = f"{other.reference} needs {', '.join(unknown[:8])}, which {champion.reference} is not asked"
    elif (other.task.kind, other.task.classes, other.task.quantiles) != (
        champion.task.kind,
        champion.task.classes,
        champion.task.quantiles,
    ):
        wrong = f"{other.reference} answers {other.task.kind}, {champion.reference} {champion.task.kind}"
        wrong += "" if other.task.kind != champion.task.kind else " with other classes or levels"
    if wrong:
        raise InputError(
            "the two versions cannot answer for each other",
            seen=wrong,
            remedy="Deploy it under another name, or as the champion: without --canary and --shadow.",
        )
