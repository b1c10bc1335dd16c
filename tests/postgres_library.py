"""The ports of one library as one object, for tests that use several of them on the same images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

from domain.ports import Catalog, Ingestion, KnownModels, ReadyFeed, VectorIndex
from domain.use_cases.models.start import ActivateModel
from infra.postgres.catalog.catalog import PostgresCatalog
from infra.postgres.catalog.ingestion import PostgresIngestion
from infra.postgres.models.active import ActiveModel
from infra.postgres.models.changes import PostgresModelChanges
from infra.postgres.models.models import PostgresModels
from infra.postgres.vectors.default_scans import DEFAULT_SCANS, EXACT_BELOW
from infra.postgres.vectors.index import PostgresVectorIndex
from infra.postgres.vectors.scan_tables import ScanTableInUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.embeddings import EmbeddingModel
    from domain.entities.models import KnownModel


async def activate(
    engine: AsyncEngine, model: EmbeddingModel, *, source: str | None = None
) -> ActiveModel:
    """Make a model the ACTIVE one. Raises Misconfigured where another model embedded the images."""
    activate_model = ActivateModel(PostgresModelChanges(engine), lambda: datetime.now(UTC))
    stored = await activate_model(model, source or model.name)
    return ActiveModel(stored.id, stored.name, stored.dimensions)


def scans_exact_below(images: int) -> ScanTableInUse:
    """Return the default parameters, with exact scans where fewer images match."""
    return ScanTableInUse(replace(DEFAULT_SCANS, exact_below=images))


class ImageLibrary(Catalog, Ingestion, KnownModels, ReadyFeed, VectorIndex, Protocol):
    """Images that can be added, changed, listed and searched."""


@dataclass(frozen=True)
class PostgresLibrary(PostgresVectorIndex, PostgresIngestion, PostgresCatalog):
    """A library on PostgreSQL with the embeddings of one model."""

    @classmethod
    async def open(
        cls, engine: AsyncEngine, model: EmbeddingModel, *, exact_below: int = EXACT_BELOW
    ) -> Self:
        """Activate the model. Raises Misconfigured where another model embedded the images."""
        return cls(engine, await activate(engine, model), scans_exact_below(exact_below))

    async def known(self) -> Sequence[KnownModel]:
        return await PostgresModels(self.engine).known()
