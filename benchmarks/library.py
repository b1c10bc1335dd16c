"""The library that both systems search: recorded vectors of CLIP, or else synthetic ones."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped] # no types
from pgvector import HalfVector
from pgvector.asyncpg import register_vector
from sqlalchemy import make_url, text

from benchmarks import real_clip
from benchmarks.bulk import load
from benchmarks.clip_vectors import ClipGeometry
from benchmarks.plain_pipeline import PictureRow, create_table
from benchmarks.systems import tuning
from domain.entities.embeddings import EmbeddingModel
from infra.postgres.engine import open_engine
from tests.e2e.process import ServerProcess, run_process, typed_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path
    from uuid import UUID

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

HITS = 20
BARE_EF_SEARCH = 100
"""The width of the index scan of the floor: about what recall@20 of .95 needs."""

OPERATORS = {"ip": "<#>", "cosine": "<=>", "l2": "<->"}

COPY_TO_PLAIN = f"""
    INSERT INTO {PictureRow.__table__} (id, filename, sha256, width, height, created_at, embedding)
    SELECT id, filename, sha256, width, height, created_at, embedding FROM images
    JOIN embeddings ON image_id = id
"""  # noqa: S608 - a constant
SELECT_VECTOR_INDEX = text("""
    SELECT indrelid::regclass::text AS "table", pg_get_indexdef(indexrelid, 1, true) AS indexed,
        split_part(opcname, '_', 2) AS distance
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = pg_class.relam JOIN pg_opclass ON pg_opclass.oid = indclass[0]
    WHERE amname = 'hnsw' ORDER BY reltuples DESC LIMIT 1
""")


def vectors(count: int) -> NDArray[np.float32]:
    """Return the vectors of pictures: recorded ones where they are available."""
    if real_clip.FOLDER.exists():
        return real_clip.large_library().vectors[:count]
    return ClipGeometry(count).picture_vectors(0, count)


async def create_database(server: str, name: str) -> str:
    """Create a database on a server, and return its URL for SQLAlchemy."""
    async with open_engine(server) as engine:
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        async with autocommit.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


async def migrate(settings: Mapping[str, object]) -> None:
    """Run `pictograph migrate`."""
    done = await asyncio.to_thread(run_process, "migrate", settings=settings)
    if done.returncode:
        raise RuntimeError(done.stderr)


def settings_of(database: str, data: Path, checkpoint: Path) -> dict[str, object]:
    """Return Pictograph's settings for a database, a folder of files and a checkpoint."""
    return {"database_url": typed_url(database), "data_dir": data, "model": checkpoint}


async def fill(settings: Mapping[str, object], database: str, points: NDArray[np.float32]) -> None:
    """Fill the library of Pictograph, and copy it for the plain pipeline."""
    name = await asyncio.to_thread(_model_name, settings)
    async with open_engine(database) as engine:
        await load(engine, points, model=EmbeddingModel(name, points.shape[1]))
        await copy_to_plain(engine)


async def copy_to_plain(engine: AsyncEngine) -> None:
    """Copy all pictures with their vectors into the table of the plain pipeline."""
    await create_table(engine)
    async with engine.begin() as connection:
        await connection.execute(text(COPY_TO_PLAIN))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text(f"VACUUM ANALYZE {PictureRow.__table__}"))


def _model_name(settings: Mapping[str, object]) -> str:
    """Start a server, which stores its model, and return the name that it gave the model."""
    with ServerProcess.start(tuning() | dict(settings)) as server:
        answer = server.ask("{ service { model { name } } }", key=None)
        return str(answer["service"]["model"]["name"])


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """The index that Pictograph built."""

    table: str
    indexed: str
    """The expression that is indexed."""
    distance: str

    def nearest(self, parameter: str, hits: int) -> str:
        """Return the statement that scans the index."""
        return (
            f"SELECT image_id FROM {self.table} "  # noqa: S608 - names from the catalog
            f"ORDER BY {self.indexed} {OPERATORS[self.distance]} {parameter} LIMIT {hits}"
        )


async def vector_index(connection: AsyncConnection) -> VectorIndex:
    """Find the largest HNSW index of a database, whatever it is called."""
    row = (await connection.execute(SELECT_VECTOR_INDEX)).one()
    return VectorIndex(row.table, row.indexed, row.distance)


@dataclass(frozen=True, slots=True)
class BareSearch:
    """A search by the bare driver with the index that Pictograph built: the floor of a search."""

    # asyncpg ships no types.
    connection: Any
    statement: Any
    queries: NDArray[np.float32]

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, database: str, queries: NDArray[np.float32]
    ) -> AsyncIterator[BareSearch]:
        """Connect, and prepare the statement."""
        async with open_engine(database) as engine, engine.connect() as other:
            index = await vector_index(other)
        connection = await asyncpg.connect(typed_url(database))
        try:
            await register_vector(connection)
            await connection.execute(f"SET hnsw.ef_search = {BARE_EF_SEARCH}")
            nearest = index.nearest(f"$1::halfvec({queries.shape[1]})", HITS)
            yield cls(connection, await connection.prepare(nearest), queries)
        finally:
            await connection.close()

    async def run(self, number: int) -> list[UUID]:
        """Run a query by its number, and return the ids of its hits."""
        query = HalfVector(self.queries[number % len(self.queries)])
        return [row["image_id"] for row in await self.statement.fetch(query)]
