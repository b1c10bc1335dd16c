"""The command line `pictograph`, which joins the commands."""

from __future__ import annotations

import os
import sys

import typer

from domain.errors import Refusal, Unavailable
from pictograph.cli.console import err
from pictograph.cli.doctor import doctor
from pictograph.cli.imports import import_pictures
from pictograph.cli.keys import keys
from pictograph.cli.maintenance import check, claim, migrate, sweep
from pictograph.cli.models import models
from pictograph.cli.processes import demo, serve, worker
from pictograph.cli.remedies import sentence_of
from pictograph.cli.schema import export_schema
from pictograph.cli.search import search

cli = typer.Typer(
    name="pictograph",
    help="A GraphQL server that finds pictures by what they show. "
    "Settings are environment variables that begin with PICTOGRAPH_.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# In the order of the help.
cli.command()(serve)
cli.command()(migrate)
cli.command()(worker)
cli.command("import")(import_pictures)
cli.command()(search)
cli.command()(sweep)
cli.command()(check)
cli.command()(claim)
cli.command()(doctor)
cli.add_typer(keys, name="keys")
cli.add_typer(models, name="models")
cli.command("export-schema")(export_schema)
cli.command()(demo)


def main() -> None:
    """Run a command. An error is one sentence on standard error, and the exit status 1."""
    try:
        cli()
    except Refusal as refusal:
        sentence = sentence_of(refusal)
    except Unavailable as outage:
        sentence = outage.with_cause
    except Exception as error:
        if os.environ.get("PICTOGRAPH_LOG_LEVEL") == "debug":
            raise
        sentence = _unexpected(error)
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


def _unexpected(error: Exception) -> str:
    # Messages of libraries may have several lines, and end with or without a full stop.
    message = " ".join(str(error).split()).rstrip(".")
    detail = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"Unexpected error: {detail}. Set PICTOGRAPH_LOG_LEVEL=debug to see where it occurred."
