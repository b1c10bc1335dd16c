"""What `pictograph doctor` looks at: the model, the database and the files, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pictograph.adapters import open_database, open_encoder, open_storage

if TYPE_CHECKING:
    from infra.settings import Settings


async def look_at_model(settings: Settings) -> str:
    """Load the model and tell what it is. Raises Misconfigured, as the next ones do."""
    async with open_encoder(settings) as encoder:
        return f"{encoder.model.name} with {encoder.model.dimensions} dimensions is loaded."


async def look_at_database(settings: Settings) -> str:
    """Connect to the database, and tell where it is. Nothing is made for that."""
    from infra.postgres.migrate import check_current, is_current  # noqa: PLC0415 - with the rest

    folder = settings.data_dir.absolute() / "postgres"
    if settings.database_url is None and not folder.exists():
        return f"The embedded PostgreSQL will be made in {folder}."
    async with open_database(settings) as engine:
        if settings.database_url is None:
            tables = "are current" if await is_current(engine) else "will be brought up to date"
            return f"The embedded PostgreSQL in {folder} answers, and its tables {tables}."
        await check_current(engine)
        place = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
        return f"The database {place} answers, and its tables are current."


async def look_at_files(settings: Settings) -> str:
    """Open the storage, and tell where it is."""
    async with open_storage(settings):
        if settings.s3_bucket:
            return f"The bucket {settings.s3_bucket} answers."
        return f"Files lie in {settings.data_dir.absolute()}."


LOOKS = {"Model": look_at_model, "Database": look_at_database, "Files": look_at_files}
