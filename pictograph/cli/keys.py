"""The commands that create, list and revoke API keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Column, Table
from rich.text import Text

from domain.entities.keys import Scope
from domain.errors import InvalidArgument
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.examples import examples_of
from pictograph.cli.libraries import open_library
from pictograph.cli.tables import UUID_WIDTH

keys = typer.Typer(
    help="Create, list and revoke API keys.",
    no_args_is_help=True,
    add_completion=False,
    epilog=examples_of("keys"),
)


@keys.command("create", epilog=examples_of("keys create"))
def create_key(
    name: Annotated[str, typer.Argument(help="Who or what uses the key.")],
    scope: Annotated[list[Scope], typer.Option(help="What the key allows. Repeatable.")] = [  # noqa: B006
        Scope.WRITE
    ],
) -> None:
    """Create a key, and print it. It cannot be shown again."""

    async def create() -> str:
        async with open_library(settings_of()) as library:
            return (await library.issue_key(name, scope))[0]

    typer.echo(run(create()))
    err.print("Store this key: it cannot be shown again.")


@keys.command("list", epilog=examples_of("keys list"))
def list_keys() -> None:
    """List all keys, without their secrets."""

    async def list_rows() -> Table:
        table = Table("Name", "Scopes", "Created", "Revoked", Column("Id", min_width=UUID_WIDTH))
        async with open_library(settings_of()) as library:
            for key in await library.list_keys():
                table.add_row(
                    Text(key.name),
                    ", ".join(scope.name for scope in Scope if scope in key.scopes),
                    f"{key.created_at:%Y-%m-%d %H:%M}",
                    f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "",
                    str(key.id),
                )
        return table

    out.print(run(list_rows()), crop=False)


@keys.command("revoke", epilog=examples_of("keys revoke"))
def revoke_key(
    key_id: Annotated[UUID, typer.Argument(help="The id that `pictograph keys list` shows.")],
) -> None:
    """Revoke a key. It cannot be restored."""

    async def revoke() -> bool:
        async with open_library(settings_of()) as library:
            return await library.revoke_key(key_id)

    if not run(revoke()):
        raise InvalidArgument(
            (), f"No valid key has the id {key_id}; `pictograph keys list` shows all keys."
        )
    out.print("Revoked.")
