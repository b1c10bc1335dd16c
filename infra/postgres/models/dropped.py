"""What is asked of a model that was dropped a moment ago."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from domain.errors import Overloaded, SearchExpired

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncSession

    from infra.postgres.models.active import ActiveModel

NO_TABLE = "42P01"
NO_PARTITION = "23514"


@asynccontextmanager
async def dropped_models_refused(
    session: AsyncSession, model: ActiveModel
) -> AsyncIterator[AsyncSession]:
    """Turn the error of a table that is gone into a refusal that says so."""
    try:
        async with session:
            yield session
    except DBAPIError as error:
        said, code = str(error.orig), getattr(error.orig, "sqlstate", None)
        if code == NO_TABLE and f'"{model.partition}"' in said:
            raise SearchExpired(
                f"The model {model.name} was dropped just now; search again."
            ) from error
        if code == NO_PARTITION and 'no partition of relation "embeddings"' in said:
            raise Overloaded(
                "The model of the library is being changed just now; send it again."
            ) from error
        raise
