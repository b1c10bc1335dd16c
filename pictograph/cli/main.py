"""The command line `pictograph`, which joins the commands.

The help and a mistyped command import no command: their modules import most of the program.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, cast

import typer
from typer.core import TyperCommand
from typer.main import get_command

import infra  # noqa: F401 - limits the threads of numpy before any command imports it
from pictograph.cli.examples import examples_of

if TYPE_CHECKING:
    from collections.abc import Callable

cli = typer.Typer(
    name="pictograph",
    help="A GraphQL server that finds pictures by what they show. "
    "Settings are environment variables that begin with PICTOGRAPH_.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=examples_of(""),
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pictograph {version('pictograph')}")
        raise typer.Exit


@cli.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Add the options of the program itself."""


class DeferredCommand(TyperCommand):
    """A command or group that is imported when it is called. Its callback returns it."""

    def make_context(  # type: ignore[override]  # a parent is a context of typer, too
        self,
        info_name: str | None,
        args: list[str],
        parent: typer.Context | None = None,
        **extra: object,
    ) -> typer.Context:
        """Return the context of the imported command, so that this one runs."""
        imported = cast("Callable[[], typer.Typer]", self.callback)()
        context = get_command(imported).make_context(info_name, args, parent, **extra)
        return cast("typer.Context", context)


def _defer(name: str, place: str, help_text: str) -> None:
    """Add a command by the place of its function or group, which has the same help."""
    cli.command(name, cls=DeferredCommand, help=help_text)(_importing(name, place))


def _importing(name: str, place: str) -> Callable[[], typer.Typer]:
    def import_command() -> typer.Typer:
        module, attribute = place.split(":")
        imported = getattr(import_module(f"pictograph.cli.{module}"), attribute)
        if isinstance(imported, typer.Typer):
            return imported
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(name, epilog=examples_of(name))(imported)
        return alone

    return import_command


# In the order of the help.
_defer("serve", "processes:serve", "Serve the gallery, GraphQL, GraphiQL and pictures over HTTP.")
_defer("migrate", "maintenance:migrate", "Migrate the database to this version.")
_defer(
    "worker",
    "processes:worker",
    "Process the work queue. Any number of workers may run, with or without servers.",
)
_defer(
    "import",
    "imports:import_pictures",
    "Index the pictures of a folder or bucket in place. Later runs index only changes.",
)
_defer("search", "search:search", "Search by text, pictures and blends of them, with filters.")
_defer(
    "tune",
    "tune:tune",
    "Measure searches of this library, and choose the fastest that find enough.",
)
_defer(
    "sweep",
    "maintenance:sweep",
    "Remove unreferenced files, and expired searches, upload targets and deleted images.",
)
_defer(
    "check",
    "maintenance:check",
    "Check the invariants of the library: bytes, digests, embeddings, tasks, and leftovers.",
)
_defer(
    "claim",
    "maintenance:claim",
    "Take the files over for this database, whichever library had them before.",
)
_defer("doctor", "doctor:doctor", "Check the settings, the model, the database and the files.")
_defer("export-schema", "schema:export_schema", "Write the GraphQL schema in SDL.")
_defer(
    "demo",
    "processes:demo",
    "Serve a library of its own, with the bundled model and postcards to search.",
)
_defer("keys", "keys:keys", "Create, list and revoke API keys.")
_defer(
    "models",
    "models:models",
    "Change the model of a library while it is in use: add, wait until ready, compare, promote.",
)


def main() -> None:
    """Run a command. An error is one sentence on standard error, and the exit status 1."""
    try:
        cli()
    except Exception as error:
        from pictograph.cli.failures import is_expected, print_failure  # noqa: PLC0415 - not for --help

        if os.environ.get("PICTOGRAPH_LOG_LEVEL") == "debug" and not is_expected(error):
            raise
        print_failure(error)
        sys.exit(1)
