"""The commands of `pictograph`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from domain.errors import Refusal
from pictograph import app
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.imports import import_pictures
from pictograph.cli.keys import keys
from pictograph.cli.maintenance import check, doctor, sweep
from pictograph.cli.models import models
from pictograph.cli.remedies import sentence_of
from pictograph.cli.search import search
from pictograph.cli.worker import worker

cli = typer.Typer(
    name="pictograph",
    help="A GraphQL server that finds pictures by what they show. "
    "Settings are environment variables that begin with PICTOGRAPH_.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command. What goes wrong is one sentence, and an exit status of 1."""
    try:
        cli()
    except Refusal as refusal:
        sentence = sentence_of(refusal)
    except Exception as error:
        if os.environ.get("PICTOGRAPH_LOG_LEVEL") == "debug":
            raise
        sentence = (
            f"Something unexpected happened: {type(error).__name__}: {error}. "
            "PICTOGRAPH_LOG_LEVEL=debug shows where."
        )
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve GraphQL, GraphiQL and pictures over HTTP."""
    settings = settings_of(host=host, port=port)
    run(app.serve(settings, ready=lambda url: out.print(app.greeting(url))))


@cli.command()
def migrate(
    create_bucket: Annotated[
        bool, typer.Option("--create-bucket", help="Make the bucket where it is missing.")
    ] = False,
) -> None:
    """Bring the database to the newest version of its tables."""
    run(app.migrate(settings_of(), create_bucket=create_bucket))
    out.print("The database has the tables of this version.")


cli.command()(worker)
cli.command("import")(import_pictures)


cli.command()(search)
cli.command()(sweep)
cli.command()(check)
cli.command()(doctor)
cli.add_typer(keys, name="keys")
cli.add_typer(models, name="models")


@cli.command("export-schema")
def export_schema(
    file: Annotated[typer.FileTextWrite, typer.Argument(help="Where to; - is the screen.")] = "-",  # type: ignore[assignment]  # typer opens it
) -> None:
    """Write the GraphQL schema in SDL."""
    from graph.schema.schema import print_schema  # noqa: PLC0415 - no other command needs it

    typer.echo(print_schema(), file=file)


@cli.command()
def demo(
    postcards: Annotated[int, typer.Option(help="How many postcards to take in.", min=0)] = 600,
) -> None:
    """Serve from a folder of its own, with the model in the box and postcards to search."""
    from pictograph.cli.demo import serve as serve_demo  # noqa: PLC0415 - no other command needs it

    settings_of()
    run(serve_demo(out, postcards=postcards))
