"""The commands of `pictograph`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

import app
from domain.errors import InvalidArgument, Refusal
from domain.keys import Scope
from infra.picture_folder import uploads_of
from infra.search_answer import answer_to
from infra.search_options import SearchOptions, taking_options
from infra.settings import Settings, read_settings
from infra.terminal import UUID_WIDTH, shows_pictures

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

cli = typer.Typer(
    name="pictograph",
    help="A GraphQL server that finds pictures by what they show. "
    "Settings are environment variables that begin with PICTOGRAPH_.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
cli.add_typer(keys, name="keys")

out = Console()
err = Console(stderr=True)


def main() -> None:
    """Run a command. What goes wrong is one sentence, and an exit status of 1."""
    try:
        cli()
    except Refusal as refusal:
        sentence = refusal.message
    except Exception as error:
        if os.environ.get("PICTOGRAPH_LOG_LEVEL") == "debug":
            raise
        sentence = (
            f"Something unexpected happened: {type(error).__name__}: {error}. "
            "PICTOGRAPH_LOG_LEVEL=debug shows where."
        )
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


def _settings(**given: object) -> Settings:
    """Read the settings, options first, and log as they say."""
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING
    )
    for ours in ("domain", "graph", "infra", "pictograph", "uvicorn"):
        logging.getLogger(ours).setLevel(settings.log_level.upper())
    return settings


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end. SIGTERM ends it as Ctrl-C does: cleanly, with nothing left running."""

    async def run() -> T:
        task = asyncio.ensure_future(coroutine)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve GraphQL, GraphiQL and pictures over HTTP."""
    settings = _settings(host=host, port=port)
    _run(app.serve(settings, ready=lambda url: out.print(f"Pictograph answers at {url}/graphql")))


@cli.command()
def migrate(
    create_bucket: Annotated[
        bool, typer.Option("--create-bucket", help="Make the bucket where it is missing.")
    ] = False,
) -> None:
    """Bring the database to the newest version of its tables."""
    _run(app.migrate(_settings(), create_bucket=create_bucket))
    out.print("The database has the tables of this version.")


@cli.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, with all folders in it.")],
    tag: Annotated[list[str] | None, typer.Option(help="Tag to put on each; repeatable.")] = None,
) -> None:
    """Take in every picture of a folder. What is here already is not taken in twice."""
    _run(_import(_settings(), folder, tags=tag or []))


async def _import(settings: Settings, folder: Path, *, tags: list[str]) -> None:
    uploads = await asyncio.to_thread(uploads_of, folder)
    refused: list[tuple[str, str]] = []
    duplicates = 0
    columns = (
        TextColumn("Taking in"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    async with app.open_pictograph(settings) as pictograph:
        with Progress(*columns, console=err) as progress:
            task = progress.add_task("", total=len(uploads))
            async for upload, outcome in pictograph.use_cases.import_(uploads, tags=tags):
                if isinstance(outcome, Refusal):
                    refused.append((upload.filename, outcome.message))
                else:
                    duplicates += outcome.is_duplicate
                progress.advance(task)
    new = len(uploads) - len(refused) - duplicates
    out.print(f"{new} taken in, {duplicates} were here already, {len(refused)} refused.")
    if refused:
        table = Table("File", "Reason", title="Refused")
        for name, reason in sorted(refused):
            table.add_row(Text(name), Text(reason))
        err.print(table)
        raise typer.Exit(1)


@cli.command()
@taking_options
def search(options: SearchOptions) -> None:
    """Find pictures by what they show, and by what is known of them."""
    _run(_search(_settings(), options))


async def _search(settings: Settings, options: SearchOptions) -> None:
    asked = options.by(), options.narrowing()
    with err.status("Searching"):
        async with app.open_pictograph(settings) as pictograph:
            answer = await answer_to(
                pictograph.use_cases, *asked, first=options.first, pictures=shows_pictures(out)
            )
    out.print(answer, crop=False)


@cli.command()
def sweep(
    even_everything: Annotated[
        bool, typer.Option("--even-everything", help="Sweep also where no picture is left.")
    ] = False,
) -> None:
    """Remove bytes that no picture points at, and searches that have expired."""
    _run(_sweep(_settings(), even_everything=even_everything))


async def _sweep(settings: Settings, *, even_everything: bool) -> None:
    async with app.open_library(settings) as library:
        with err.status("Looking at what is stored") as status:
            swept = await library.sweep(
                even_everything=even_everything,
                progress=lambda count: status.update(f"Looked at {count:,} objects"),
            )
    out.print(
        f"{swept.objects:,} objects looked at, {swept.removed_objects:,} removed; "
        f"{swept.removed_searches:,} expired searches removed."
    )


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; repeatable.")] = [  # noqa: B006
        Scope.WRITE
    ],
) -> None:
    """Make a key and show it, once."""

    async def run() -> str:
        async with app.open_library(_settings()) as library:
            return (await library.issue_key(name, scope))[0]

    typer.echo(_run(run()))
    err.print("Keep this key; it is shown only now.")


@keys.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""

    async def run() -> Table:
        table = Table("Name", "Scopes", "Created", "Revoked", Column("Id", min_width=UUID_WIDTH))
        async with app.open_library(_settings()) as library:
            for key in await library.keys.list():
                table.add_row(
                    Text(key.name),
                    ", ".join(scope.name for scope in Scope if scope in key.scopes),
                    f"{key.created_at:%Y-%m-%d %H:%M}",
                    f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "",
                    str(key.id),
                )
        return table

    out.print(_run(run()), crop=False)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[UUID, typer.Argument(help="As `pictograph keys list` shows it.")],
) -> None:
    """Revoke a key for good."""

    async def run() -> bool:
        async with app.open_library(_settings()) as library:
            return await library.keys.revoke(key_id, app.utc_now())

    if not _run(run()):
        raise InvalidArgument(
            "id", f"No key in force has the id {key_id}; `pictograph keys list` shows them."
        )
    out.print("Revoked.")


@cli.command("export-schema")
def export_schema(
    file: Annotated[typer.FileTextWrite, typer.Argument(help="Where to; - is the screen.")] = "-",  # type: ignore[assignment]  # typer opens it
) -> None:
    """Write the GraphQL schema in SDL."""
    from graph.schema import print_schema  # noqa: PLC0415 - no other command needs it

    typer.echo(print_schema(), file=file)


@cli.command()
def doctor() -> None:
    """Say what is configured, reachable and loaded."""
    _run(_doctor(_settings()))


async def _doctor(settings: Settings) -> None:
    from infra import checkup  # noqa: PLC0415 - no other command needs it

    table = Table("", "Part", "How it is")
    table.add_row("[green]✓", "Settings", Text(settings.summary))
    ill = 0
    for part, look in checkup.LOOKS.items():
        try:
            with err.status(f"Looking at: {part}"):
                table.add_row("[green]✓", part, Text(await look(settings)))
        except Refusal as refusal:
            ill = 1
            table.add_row("[red]✗", part, Text(refusal.message))
    out.print(table)
    raise typer.Exit(ill)


@cli.command()
def demo(
    postcards: Annotated[int, typer.Option(help="How many postcards to take in.", min=0)] = 600,
) -> None:
    """Serve from a folder of its own, with the model in the box and postcards to search."""
    from postcards.demo import serve as serve_demo  # noqa: PLC0415 - no other command needs it

    _settings()
    _run(serve_demo(out, postcards=postcards))
