"""The code that a run's client says it was made with, as the record of a version keeps it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from luban.store import Workspace

COMMITS = ("mlflow.source.git.commit", "mlflow.git.commit")
REPOSITORIES = ("mlflow.source.git.repoURL", "mlflow.git.repo_url")
DIRTY, SOURCE = "mlflow.git.dirty", "mlflow.source.name"

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LONGEST = 500


def code_of(workspace: Workspace, run: str | None) -> str | None:
    """Return the digest of the record of the code that made a run; None where its tags tell nothing of it.

    The client's word is taken for it: nothing here has seen that code.
    """
    if run is None:
        return None
    from luban.operations.code import Code, without_password

    tags = {key: value.strip() for key, value in workspace.runs.tags(run).items() if isinstance(value, str)}
    commit = next((tags[key] for key in COMMITS if _COMMIT.fullmatch(tags.get(key, ""))), None)
    program = tags.get(SOURCE, "")[:_LONGEST]
    if commit is None and not program:
        return None
    shared = next((tags[key] for key in REPOSITORIES if tags.get(key)), "")[:_LONGEST]
    dirty = {"true": "changed", "false": "clean"}.get(tags.get(DIRTY, "").lower())
    state = "no commit told" if commit is None else dirty or "changes not told"
    note = "as the MLflow client told" + (f": {program}" if program else "")
    told = Code(state=state, commit=commit, repository=without_password(shared) or None, note=note)
    record: dict[str, Any] = vars(told)
    return workspace.blobs.put_json(record)
