"""The `portico` command. Each command is a function (or a Typer app) in a module that is imported when it is called.

To add one: write cli/<name>.py and add a line to COMMANDS.
"""

import errno
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup

from cli.problem import Problem

COMMANDS = {
    "up": ("cli.up:up", "Start everything on this machine and keep it running."),
    "demo": ("cli.demo:demo", "Start everything and play two stories through it."),
    "down": ("cli.down:down", "Stop what runs on this state folder."),
    "status": ("cli.status:status", "Show services, relay backlog, consumer lag and parked events."),
    "env": ("cli.env:env", "Print every address and a token as shell exports."),
    "token": ("cli.token:token", "Print a development token of a role."),
    "machine": ("cli.machine:machine", "Register machines that get tokens."),
    "apply": ("cli.configuration.apply:apply", "Bring a configuration in: a folder of YAML documents."),
    "export": ("cli.configuration.export:export", "Write the configuration as a folder of YAML documents."),
    "seed": ("cli.seed:seed", "Make a plausible utility with as many customers as you like."),
    "events": ("cli.events:app", "Tail, filter and show events."),
    "audit": ("cli.audit:app", "Verify that history is what it was, and export it."),
    "erase": ("cli.erase:erase", "Erase a person: nobody can read his data again."),
    "replay": ("cli.replay:replay", "Replay events, or show a document of a view as it was."),
    "views": ("cli.views:app", "Show views and rebuild them with no downtime."),
    "parked": ("cli.parked:app", "Show events that could not be applied, retry or drop them."),
    "bus": ("cli.bus:app", "Refill a lost topic from the log."),
    "rejects": ("cli.rejects:rejects", "Show messages of the ERP that did not parse or fit."),
    "mail": ("cli.mail:app", "Show the mails that were sent here."),
    "migrate": ("cli.migrate:migrate", "Create or update roles, schemas and topics."),
    "front": ("cli.front.serve:front", "Serve the APIs of all services at one address."),
    "gateway": ("gateway.serve:serve", "Serve the portals' and the staff's pages."),
    "serve": ("cli.serve:serve", "Run one service in this process."),
}
MACHINE_TROUBLES = {
    errno.ENOSPC: "The disk is full: make room and start again.",
    errno.EACCES: "Portico is not allowed to do that here: check who owns the folder.",
    errno.EROFS: "Portico cannot write here: set PORTICO_STATE_DIR to a folder where it can.",
}


class Later(TyperCommand):
    """Stands for a command in the list of commands; becomes the real one when it is called."""

    def __init__(self, name: str, target: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.target = target

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module, _, attribute = self.target.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command()(found)
            found = single
        return typer.main.get_command(found).make_context(info_name, args, parent=parent, **extra)


class Commands(TyperGroup):
    """The commands in their order, and the one place where a Problem becomes a message and an exit status."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return Later(cmd_name, *COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            _complain(problem)
            raise typer.Exit(1) from problem
        except OSError as error:
            if error.errno not in MACHINE_TROUBLES:
                raise
            _complain(Problem(MACHINE_TROUBLES[error.errno], str(error)))
            raise typer.Exit(1) from error


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def portico() -> None:
    """Portico: the back end of an energy utility's portals."""


def _complain(problem: Problem) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold red]{escape(problem.message)}[/]", soft_wrap=True)
    if problem.advice:
        console.print(escape(problem.advice), soft_wrap=True)


if __name__ == "__main__":
    app()
