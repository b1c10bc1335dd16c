"""Leases of work whose process was killed: tests do not wait until they run out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text

from infra.settings import read_settings
from pictograph.adapters import open_database

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRE = text("UPDATE work SET due_at = now() WHERE due_at < 'infinity'")


def expire_leases(settings: Mapping[str, object]) -> None:
    """Set the leases in the embedded database of a library as if their time had passed."""

    async def expire() -> None:
        given = read_settings(data_dir=settings["data_dir"])
        async with open_database(given) as engine, engine.begin() as connection:
            await connection.execute(EXPIRE)

    asyncio.run(expire())
