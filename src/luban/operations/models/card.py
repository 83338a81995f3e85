"""Models card: what is on record of a version, as a page for people and for the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.core.dataset import Dataset
    from luban.core.model import ModelVersion
    from luban.core.report import Report
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The card of a version.

    Attributes
    ----------
    card : str
        Markdown with a head in YAML; empty where it was written to a file.
    """

    model: str
    card: str = ""
    output: str | None = None


@operation(permission="models:read", name="models card", long=True, about=("model",))
def models_card(
    workspace: Workspace,
    model: str,
    *,
    output: Path | None = None,
    intended_use: str = "",
    license: str = "",  # noqa: A002 - the Hub's word
    explain: bool = False,
    seed: int = 0,
) -> ModelCard:
    """Write the card of a version, in the format of the Hugging Face Hub: all of it from the record, nothing made up.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    output
        File to write to, such as README.md of a repository of the Hub.
    intended_use
        What it is meant for, in your words; else the card says that nobody has recorded it.
    license
        The Hub's identifier of a licence, such as `apache-2.0`.
    explain
        Explain it now, on the rows that it learnt from (30 s at most), where no explanation is on record.
    seed
        Seed of that explanation.
    """
    from luban.operations.writing import write_text
    from luban.trust.cards.model_card import model_card
    from luban.trust.cards.record import Record

    version = workspace.models.get(model)
    if license and not license.replace("-", "").replace(".", "").isalnum():
        raise InputError("this is no identifier of a licence", seen=repr(license[:60]), remedy="Such as apache-2.0.")
    if output is not None and output.suffix != ".md":
        raise InputError("a card is Markdown", seen=str(output), remedy="Give a name that ends in .md.")
    reports = _reports(workspace, version)
    if explain and "explanation" not in reports:
        from luban.operations.explain import explain as examine

        reports["explanation"] = examine(workspace, version.reference, seed=seed).report
    written = model_card(
        Record(
            version=version,
            reports=reports,
            dataset=_dataset(workspace, version),
            intended=intended_use,
            license=license,
            author=workspace.actor,
            **_known(workspace, version),
        )
    )
    if output is None:
        return ModelCard(model=version.reference, card=written)
    write_text(written, output)
    return ModelCard(model=version.reference, output=str(output))


def _known(workspace: Workspace, version: ModelVersion) -> dict[str, Any]:
    from luban.operations.lineage.lines import lines
    from luban.operations.models.facts import facts
    from luban.operations.models.show import answering

    found = facts(workspace, version)
    registered = workspace.audit.entries(subject=f"model/{version.reference}", limit=1)
    notes = workspace.notes.read(version.name)
    described = [notes.get((version.name, number), {}).get("description", ("",))[0] for number in (version.version, 0)]
    return {
        "description": next((one for one in described if one), ""),
        "actor": registered[0].actor if registered else "",
        "parts": found.parts,
        "size": found.size,
        "graph": found.graph,
        "parity": found.parity,
        "code": found.code,
        "environment": found.environment,
        "lineage": tuple(lines(workspace.lineage.of(f"model:{version.reference}"))),
        "signed_by": tuple(str(one["name"]) for one in found.signatures if one["state"] == "good"),
        "deployments": answering(workspace, version.reference),
    }


def _reports(workspace: Workspace, version: ModelVersion) -> dict[str, Report]:
    """Return the reports on a version by check: those registered with it, and the newest of others about it."""
    found = {check: workspace.reports.get(digest) for check, digest in version.reports.items()}
    for entry in workspace.reports.list(subject=version.reference):
        if entry.check not in found:
            found[entry.check] = workspace.reports.get(entry.digest)
    return found


def _dataset(workspace: Workspace, version: ModelVersion) -> Dataset | None:
    try:
        return None if version.dataset is None else workspace.datasets.get(version.dataset)
    except NotFound:
        return None
