"""The command that checks the settings, the model, the database and the files, one by one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from domain.errors import Refusal
from pictograph.adapters import open_database, open_encoder, open_storage
from pictograph.cli.console import err, out, run, settings_of
from pictograph.cli.remedies import sentence_of

if TYPE_CHECKING:
    from infra.settings import Settings


def doctor() -> None:
    """Check the settings, the model, the database and the files."""
    run(_doctor(settings_of()))


async def _doctor(settings: Settings) -> None:
    table = Table("", "Part", "Result")
    table.add_row("[green]✓", "Settings", Text(settings.summary))
    exit_status = 0
    for part, check in CHECKS.items():
        try:
            with err.status(f"Checking: {part}"):
                table.add_row("[green]✓", part, Text(await check(settings)))
        except Refusal as refusal:
            exit_status = 1
            table.add_row("[red]✗", part, Text(sentence_of(refusal)))
    out.print(table)
    raise typer.Exit(exit_status)


async def check_model(settings: Settings) -> str:
    """Load the model, and describe it. Raises Misconfigured, as the other checks do."""
    async with open_encoder(settings) as encoder:
        name, dimensions = encoder.model.name, encoder.model.dimensions
        return (
            f"The model {name} can be loaded. Its embeddings have {dimensions} dimensions. "
            f"It runs with {encoder.engine.description}."
        )


async def check_database(settings: Settings) -> str:
    """Connect to the database, and describe it. Creates and migrates nothing."""
    from infra.embedded_postgres.account import check_entry  # noqa: PLC0415 - slow to import
    from infra.postgres.revision import check_current, is_current  # noqa: PLC0415 - slow to import

    folder = settings.data_dir.absolute() / "postgres"
    if settings.database_url is None and not folder.exists():
        check_entry(os.geteuid())
        return f"An embedded PostgreSQL will be created in {folder}."
    async with open_database(settings) as engine:
        if settings.database_url is None:
            state = "is current" if await is_current(engine) else "will be migrated"
            return f"The embedded PostgreSQL in {folder} is reachable, and its schema {state}."
        await check_current(engine)
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
        return f"The database {url} is reachable, and its schema is current."


async def check_files(settings: Settings) -> str:
    """Open the storage, and describe it."""
    async with open_storage(settings):
        if settings.s3_bucket:
            return f"The bucket {settings.s3_bucket} is reachable."
        return f"Files are stored in {settings.data_dir.absolute() / 'files'}."


CHECKS = {"Model": check_model, "Database": check_database, "Files": check_files}
