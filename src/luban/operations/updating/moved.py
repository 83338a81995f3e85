"""What a promotion moved and what it left alone, in words, with the commands that move the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.core.model import Deployment
    from luban.core.update import Promoted, Promotion
    from luban.store import Workspace


def told(workspace: Workspace, promotion: Promotion, moved: Promoted) -> str:
    """Return it in sentences: deployments of other models are none of its business."""
    names = [*(("the alias champion",) if moved.alias else ()), *moved.deployments]
    said = [f"{moved.challenger} took over: {', '.join(names)}"]
    for one in workspace.deployments.list():
        of_it = any(reference.rpartition("/")[0] == promotion.model for reference in one.traffic)
        if of_it and one.name not in moved.deployments and one.champion != moved.challenger:
            said.append(f"left alone: {one.name}, {_why(promotion, moved, one)}")
    return "; ".join(said)


def _why(promotion: Promotion, moved: Promoted, left: Deployment) -> str:
    command = f"luban deploy {left.name} {moved.challenger} moves it"
    if moved.challenger in left.canaries:
        command = f"luban deployments promote {left.name} lets it answer everything"
    if left.canaries:
        return f"where the canary {', '.join(left.canaries)} is under way beside {left.champion} ({command})"
    if left.champion != promotion.champion:
        return f"where {left.champion} answers and not {promotion.champion}, which was compared with ({command})"
    return f"since only {promotion.subject} was updated ({command})"
