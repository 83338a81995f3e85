"""Commands, made from operations when they are asked for."""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperGroup

from luban.core import plugins
from luban.core.budget import Duration
from luban.core.errors import InputError, NotFound
from luban.core.report import Report
from luban.surfaces import invoking
from luban.surfaces.call import variants
from luban.surfaces.ending import ended
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from luban.core.operation import Operation, Parameter

# typer's own classes, whose home differs between its releases.
Command = Any
_UsageError: Any = typer.BadParameter.__bases__[0]

# Short forms that people know from other commands.
SHORT = {"output": "-o", "name": "-n", "target": "-t", "budget": "-b"}
GROUPS = {
    "data": "Data sets: import, look, clean, split.",
    "models": "Registered models.",
    "runs": "Records of work.",
    "tokens": "Who may ask a server for what.",
    "roles": "Sets of scopes by name.",
    "keys": "Keys that models are signed with.",
    "audit-log": "The record of every change, which shows if somebody changed it.",
    "deployments": "Names that models answer under: canaries, promotion, rollback.",
    "predictions": "What deployments were asked and answered: export it, erase a person.",
    "alerts": "Who is told when a monitored figure crosses a limit.",
    "updates": "Updates of models by themselves: what is due, and what was done.",
    "approvals": "Challengers that wait for a person's yes.",
    "zoo": "Pre-trained backbones.",
}


class Verbs(TyperGroup):
    """A group of commands whose names come from the plug-in table; a command is imported when it is used."""

    prefix = ""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the first words of all operations under the prefix."""
        verbs = [verb.removeprefix(self.prefix) for verb in plugins.names("operations") if verb.startswith(self.prefix)]
        return sorted({verb.split()[0] for verb in verbs} | set(super().list_commands(ctx)))

    def get_command(self, ctx: Any, cmd_name: str) -> Command:
        """Return the command of an operation, or the group of the verbs that begin with this word."""
        verb = self.prefix + cmd_name
        verbs = plugins.names("operations")
        if verb in verbs:
            return _command(plugins.load("operations", verb))
        if any(other.startswith(verb + " ") for other in verbs):
            return _group(verb)
        found = super().get_command(ctx, cmd_name)
        if found is None and not ctx.resilient_parsing:  # else a shell asks what could follow
            raise NotFound.named("command", cmd_name, self.list_commands(ctx))
        return found

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the help where no verb is given."""
        rest: list[str] = super().parse_args(ctx, args or (["--help"] if not ctx.resilient_parsing else args))
        return rest


def _group(noun: str) -> Command:
    kind = type("Group", (Verbs,), {"prefix": noun + " "})
    application = typer.Typer(cls=kind, help=GROUPS.get(noun))
    application.callback()(lambda: None)
    group = typer.main.get_group(application)
    group.name = noun.rsplit(maxsplit=1)[-1]
    return group


def _command(operation: Operation) -> Command:
    application = typer.Typer(add_completion=False)
    application.command(name=operation.name.split()[-1], help=operation.description)(_function(operation))
    return typer.main.get_command(application)


def _function(operation: Operation) -> Callable[..., None]:
    def function(**values: Any) -> None:
        as_json = values.pop("json_output")
        page = values.pop("html_page", None)
        location = values.pop("workspace_folder")
        given = {name: value for name, value in values.items() if value is not None and value not in ([], ())}
        with ended(as_json=as_json):
            invoking.invoke(operation, given, location, page, as_json=as_json)

    parameters = [_parameter(parameter) for parameter in operation.parameters]
    parameters += _common(operation)
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


def _common(operation: Operation) -> list[inspect.Parameter]:
    common: list[tuple[str, Any, Any]] = [
        ("json_output", Annotated[bool, typer.Option("--json", help="Print one JSON object.")], False),
        (
            "workspace_folder",
            Annotated[
                Path | None,
                typer.Option("--workspace", "-w", help="The workspace; by default the nearest .luban folder."),
            ],
            None,
        ),
    ]
    results = get_args(operation.returns) or (operation.returns,)
    if any(one is Report or "report" in getattr(one, "__dataclass_fields__", {}) for one in results):
        words = "Also write the report as one HTML page."
        common.append(("html_page", Annotated[Path | None, typer.Option("--html", help=words)], None))
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in common
    ]


def _parameter(parameter: Parameter) -> inspect.Parameter:
    kind, default = _typer_type(parameter), None if parameter.required else parameter.default
    optional = not parameter.required
    if parameter.positional:
        declared: Any = typer.Argument(help=parameter.description, show_default=False)
    else:
        option = f"--{parameter.name.replace('_', '-')}"
        flags = [f"{option}/--no-{option[2:]}"] if kind is bool and default is True else [option]
        if parameter.name in SHORT:
            flags.append(SHORT[parameter.name])
        declared = typer.Option(*flags, help=_help(parameter), show_default=False, metavar=_metavar(parameter))
        optional = True  # a missing one is told by the operation's own check, in its own words
    if optional and kind is not bool:
        kind, default = kind | None, None
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[kind, declared],
        default=inspect.Parameter.empty if not optional else default,
    )


def _help(parameter: Parameter) -> str:
    """Return the description of an option with its default, where that says something."""
    if parameter.required or parameter.default in (None, (), False, ""):
        return parameter.description
    default = parameter.default
    shown = default.text if isinstance(default, Duration) else str(default)
    return f"{parameter.description} (default: {shown})"


def _metavar(parameter: Parameter) -> str | None:
    """Return what a number is shown as: it is read as text, so that what is none is told in our words."""
    kinds = [kind for kind in variants(parameter.annotation) if kind is not type(None)]
    return {int: "<int>", float: "<float>"}.get(kinds[0]) if len(kinds) == 1 else None


def _typer_type(parameter: Parameter) -> Any:
    """Return the type that typer should read; the call itself checks the rest."""
    kinds = [kind for kind in variants(parameter.annotation) if kind is not type(None)]
    for kind in kinds:
        if get_origin(kind) in (list, tuple):
            # An argument may be given several times; an option takes a list with commas.
            return list[str] if parameter.positional else str
        if kind is bool and len(kinds) == 1:
            return kind
        if get_origin(kind) is Literal and all(isinstance(one, str) for one in get_args(kind)):
            return str
        if kind is Duration:
            return str
    return str


def application() -> Command:
    """Return the whole command line as one command."""
    app = typer.Typer(cls=Verbs, rich_markup_mode=None, help="One workshop for AI models.")

    @app.callback()
    def luban(
        version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    ) -> None:
        if version:
            typer.echo(f"luban {__version__}")
            raise typer.Exit

    @app.command()
    def server(
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8800,
        certificate: Annotated[Path | None, typer.Option(help="Certificate in PEM; with --key it is HTTPS.")] = None,
        key: Annotated[Path | None, typer.Option(help="Private key of the certificate, in PEM.")] = None,
        rate: Annotated[float | None, typer.Option(help="Requests a second that one token may make.")] = None,
        address_rate: Annotated[float | None, typer.Option(help="Requests a second that one address may make.")] = None,
        workspace: Annotated[Path | None, typer.Option("--workspace", "-w", help="The workspace.")] = None,
    ) -> None:
        """Serve all in one process: the operations over REST, MLflow's clients, and what is deployed by every wire.

        The page of all routes is /docs.

        On 127.0.0.1 no token is needed until one is made; elsewhere one always is: luban tokens create.
        """
        with ended(as_json=False):
            invoking.serve(
                {
                    "workspace": _text(workspace),
                    "host": host,
                    "port": port,
                    "certificate": _text(certificate),
                    "key": _text(key),
                    "rate": rate,
                    "address_rate": address_rate,
                }
            )

    return typer.main.get_command(app)


def run() -> None:
    """Run the command that ``sys.argv`` asks for, and exit."""
    invoking.ready()
    with ended(as_json="--json" in sys.argv[1:]), _told_as_ours():
        code = application()(prog_name="luban", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)


@contextmanager
def _told_as_ours() -> Iterator[None]:
    """Turn the errors of typer into Luban's."""
    try:
        yield
    except _UsageError as error:
        remedy = "See what it takes with --help."
        if error.ctx is not None:
            remedy = f"See: {error.ctx.command_path} --help"
        raise InputError(error.format_message().rstrip("."), remedy=remedy) from error
    except typer.Abort:
        raise KeyboardInterrupt from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
