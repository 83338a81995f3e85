"""What the verbs of the registry show in the terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from luban.core.model import AliasChange
from luban.operations.lineage.lines import lines as lineage_lines
from luban.operations.lineage.show import LineageShown
from luban.operations.models.card import ModelCard
from luban.operations.models.compare import ModelsCompared
from luban.operations.models.facts import code_in_words
from luban.operations.models.show import ModelShown
from luban.surfaces.render import terminal
from luban.surfaces.render.columns import table
from luban.surfaces.render.result import render, words
from luban.surfaces.render.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from luban.operations.models.compare import Beside

MOST_COLUMNS = 12
MOST_CHANGES = 10


@render.register(ModelShown)
def _shown(result: ModelShown, console: Console) -> None:
    """Show a version: what it does, how good it is, what it was made from, and who vouches for it."""
    from rich.text import Text

    if result.changes is not None:
        _changes(result, result.changes, console)
        return
    version, task = result.version, result.version.task
    aliases = f"  {', '.join(version.aliases)}" if version.aliases else ""
    console.print(Text.assemble("\n", (result.model, "bold"), (aliases, "green"), f"  {task.kind} {task.target!r}"))
    size = [] if result.size is None else [f"{result.size / 1e6:,.2f} MB"]
    if result.graph:
        size.append("ONNX" if result.parity is None else f"ONNX (differs by {result.parity:.2g} at most)")
    _pairs(
        "",
        [
            ("created", words(version.created)),
            ("learners", ", ".join(f"{name} {weight:.2f}" for name, weight in result.learners.items())),
            ("decides from", "" if result.threshold is None else f"a probability of {words(result.threshold)} on"),
            ("size", ", ".join(size)),
            ("run", version.run),
            ("data", version.dataset),
            ("code", code_in_words(result.code)),
            ("made with", _made_with(result)),
            ("answers in", ", ".join(result.deployments)),
        ],
        console,
    )
    _pairs("Scores", [(name, words(score)) for name, score in version.scores.items()], console)
    digests = {"artefact": version.artifact, "data": version.data, "code": version.code}
    digests["environment"] = version.environment
    for title, named in (("Digests (SHA-256)", digests), ("Reports (SHA-256)", version.reports)):
        _pairs(title, [(name, (digest or "").removeprefix("sha256:")) for name, digest in named.items()], console)
    signed = [f"{one['name'] or one['key']}: {one['state']}, {words(one['created'])}" for one in result.signatures]
    terminal.lines("Signatures", signed or ["not signed"], console)
    console.print()
    for title, columns in (("Inputs", version.signature.inputs), ("Outputs", version.signature.outputs)):
        told = [f"{one.name} ({one.kind})" for one in columns[:MOST_COLUMNS]]
        more = f" and {len(columns) - MOST_COLUMNS} more" if len(columns) > MOST_COLUMNS else ""
        _pairs("", [(title, ", ".join(told) + more)], console)
    changes = [
        f"{words(one.moment)}  {one.alias}: {_from_to(one.before, one.after)}{' (rollback)' if one.undo else ''}, "
        f"{one.actor}{f': {one.reason}' if one.reason else ''}"
        for one in reversed(result.alias_history)
    ]
    terminal.lines("Aliases of the model, the newest change first", changes[:MOST_CHANGES], console)
    if len(changes) > MOST_CHANGES:
        console.print(f"  and {len(changes) - MOST_CHANGES} more; --json has all", style="dim")
    terminal.lines("What could not be read", result.trouble, console)


def _changes(result: ModelShown, changes: str, console: Console) -> None:
    """Show the changes of the code: byte for byte where a file or a program reads them, without what moves a cursor."""
    from rich.text import Text

    for line in result.trouble:
        console.print(Text(clean(line), style="yellow"), soft_wrap=True)
    if not console.is_terminal:
        console.file.write(changes)
        return
    for line in changes.rstrip("\n").split("\n"):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(Text(clean(line.expandtabs()), style=style), soft_wrap=True)


@render.register(AliasChange)
def _moved(result: AliasChange, console: Console) -> None:
    """Show where an alias went, and from where."""
    from rich.text import Text

    way = _from_to(result.before, result.after)
    reason = f": {result.reason}" if result.reason else ""
    told = f"{result.model}@{result.alias}  {way}{' (rollback)' if result.undo else ''}, {result.actor}{reason}"
    console.print(Text(clean(told)), soft_wrap=True)


def _made_with(result: ModelShown) -> str:
    found = result.environment
    if found is None:
        return "not recorded"
    return f"Luban {found['luban']}, Python {found['python']}, {len(found['packages'])} packages"


def _from_to(before: int | None, after: int | None) -> str:
    return f"{'none' if before is None else before} -> {'none' if after is None else after}"


@render.register(ModelsCompared)
def _compared(result: ModelsCompared, console: Console) -> None:
    """Show two versions side by side, what differs marked, and the comparison on rows."""
    from rich.text import Text

    for about, group in groupby(result.lines, key=lambda line: line.about):
        kept: list[Beside] = list(group)
        console.print(Text(f"\n{about.capitalize()}", style="bold"))
        rows = [("" if one.same else "*", clean(one.what), _cell(one.first), _cell(one.second)) for one in kept]
        plain = console.options.ascii_only
        console.print(table(("", "", result.first, result.second), rows, room=console.width, plain=plain))
    console.print(Text("\n* differs", style="dim"))
    if result.report is not None:
        terminal.render(result.report, console)
        console.print(Text(f"\non {result.rows:,} rows", style="dim"))
    else:
        console.print(Text("Which is better on the same rows: add a FILE with true values.", style="dim"))


def _cell(value: Any) -> str:
    text = words(value).replace("\n", ", ")
    return text or "-"


@render.register(LineageShown)
def _lineage(result: LineageShown, console: Console) -> None:
    """Show the tree of what it came from and what came of it."""
    from rich.text import Text

    from luban.core.lineage import Lineage

    whole = Lineage(subject=result.subject, nodes=result.nodes, edges=result.edges)
    for line in lineage_lines(whole, plain=console.options.ascii_only):
        style = "bold" if line in ("came from", "led to") else ""
        console.print(Text(clean(line), style=style), soft_wrap=True)
    if result.output is not None:
        console.print(Text(f"\nwritten to {result.output}"), soft_wrap=True)


@render.register(ModelCard)
def _card(result: ModelCard, console: Console) -> None:
    """Show the card as it is, so that it can be kept with > README.md, or where it was written."""
    from rich.text import Text

    if result.output is not None:
        console.print(Text(f"the card of {result.model} is in {result.output}"), soft_wrap=True)
    else:
        console.print(Text(result.card.rstrip("\n")), soft_wrap=True)


def _pairs(title: str, rows: Sequence[tuple[str, Any]], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, ""):
            grid.add_row(Text(f"  {clean(name)}"), Text(clean(str(value))))
    if not grid.row_count:
        return
    if title:
        console.print(Text(f"\n{title}", style="bold"))
    console.print(grid)
