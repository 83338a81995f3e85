"""What is asked of a person, in the terminal: in words, not as the record has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.update import Approval
from luban.operations.approvals.approve import Approved
from luban.operations.approvals.show import ApprovalShown
from luban.surfaces.render.result import as_row, render, words
from luban.surfaces.render.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


@as_row.register(Approval)
def _line(one: Approval) -> Mapping[str, Any]:
    """Return a question as a line of a list."""
    return {
        "id": one.id,
        "question": _question(one),
        "gates": _gates(one),
        "asked": f"{words(one.asked)} by {one.asker}",
        "state": _state(one),
    }


@render.register(Approval)
def _approval(result: Approval, console: Console) -> None:
    """Show a question, or the answer that it got."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    rows = {"id": result.id, **as_row(result), "why": result.detail.get("why"), "reason": result.reason}
    for name, value in rows.items():
        if value:
            grid.add_row(name, Text(clean(str(value))))
    console.print(grid)


@render.register(ApprovalShown)
def _shown(result: ApprovalShown, console: Console) -> None:
    """Show the question, how to answer it, and what the gates measured."""
    from rich.text import Text

    render(result.approval, console)
    if result.report is not None:
        render(result.report, console)
    if result.approval.state == "open":
        for verb in ("approve", "reject"):
            console.print(Text(f"  luban approvals {verb} {result.approval.id} --reason WHY", style="dim"))


@render.register(Approved)
def _approved(result: Approved, console: Console) -> None:
    """Show the answer, and what it moved."""
    from rich.text import Text

    render(result.approval, console)
    console.print(Text(clean(result.note)), soft_wrap=True)


def _question(one: Approval) -> str:
    champion, deployment = one.detail.get("champion"), one.detail.get("deployment")
    if one.action != "promote" or champion is None:
        return f"{one.action} {one.reference} ({one.subject})"
    under = f"in deployment {deployment}" if deployment else f"as champion of {one.subject}"
    return f"{one.reference} instead of {champion} {under}?"


def _gates(one: Approval) -> str:
    """Return whether the gates were passed, and which were not."""
    gates: Mapping[str, Mapping[str, Any]] = one.detail.get("gates") or {}
    failed = [name for name, said in gates.items() if said.get("verdict") == "block"]
    if not gates:
        return ""
    if failed:
        return f"{len(gates) - len(failed)} of {len(gates)} passed; not: {', '.join(failed)}"
    return f"all {len(gates)} passed"


def _state(one: Approval) -> str:
    if one.state == "open":
        return f"open until {words(one.expires)}"
    by = f" by {one.decider}" if one.decider else ""
    when = f", {words(one.decided)}" if one.decided else ""
    return f"{one.state}{by}{when}"
