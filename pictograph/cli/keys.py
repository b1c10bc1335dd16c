"""Making, listing and revoking API keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Column, Table
from rich.text import Text

from domain.entities.keys import Scope
from domain.errors import InvalidArgument
from pictograph import app
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.tables import UUID_WIDTH

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; repeatable.")] = [  # noqa: B006
        Scope.WRITE
    ],
) -> None:
    """Make a key and show it, once."""

    async def made() -> str:
        async with app.open_library(settings_of()) as library:
            return (await library.issue_key(name, scope))[0]

    typer.echo(run(made()))
    err.print("Keep this key; it is shown only now.")


@keys.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""

    async def listed() -> Table:
        table = Table("Name", "Scopes", "Created", "Revoked", Column("Id", min_width=UUID_WIDTH))
        async with app.open_library(settings_of()) as library:
            for key in await library.list_keys():
                table.add_row(
                    Text(key.name),
                    ", ".join(scope.name for scope in Scope if scope in key.scopes),
                    f"{key.created_at:%Y-%m-%d %H:%M}",
                    f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "",
                    str(key.id),
                )
        return table

    out.print(run(listed()), crop=False)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[UUID, typer.Argument(help="As `pictograph keys list` shows it.")],
) -> None:
    """Revoke a key for good."""

    async def revoked() -> bool:
        async with app.open_library(settings_of()) as library:
            return await library.revoke_key(key_id)

    if not run(revoked()):
        raise InvalidArgument(
            (), f"No key in force has the id {key_id}; `pictograph keys list` shows them."
        )
    out.print("Revoked.")
