"""The command that exports the GraphQL schema."""

from __future__ import annotations

from typing import Annotated

import typer


def export_schema(
    file: Annotated[
        typer.FileTextWrite, typer.Argument(help="File to write; - is standard output.")
    ] = "-",  # type: ignore[assignment]  # typer opens it
) -> None:
    """Write the GraphQL schema in SDL."""
    from graph.schema.schema import print_schema  # noqa: PLC0415 - slow to import

    typer.echo(print_schema(), file=file)
