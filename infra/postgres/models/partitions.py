"""The partition of each model's embeddings, and the HNSW index on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

MAX_PLAIN_DIMENSIONS = 2_000
"""Vectors of this size fit into a page. Stored in it uncompressed, they compare twice as fast."""


LINKS = 32
"""``m`` of HNSW. Twice pgvector's default."""

BYTES_PER_LINK = 24
"""Of the graph in memory, in which the lowest layer has twice as many links as ``m``."""

MAX_BUILD_BYTES = 2 * 1024**3
"""The most memory that is asked for to build an index."""


def partition_name(model_id: int) -> str:
    """Return the name of the table of a model's embeddings."""
    return f"embeddings_{model_id:d}"


def index_name(model_id: int) -> str:
    """Return the name of the HNSW index on a model's embeddings."""
    return f"{partition_name(model_id)}_hnsw"


async def create_partition(session: AsyncSession, model_id: int, dimensions: int) -> None:
    """Create the table of a model's embeddings, if it is missing, without an index."""
    table = partition_name(model_id)
    statements = [
        f"CREATE TABLE IF NOT EXISTS {table} PARTITION OF embeddings FOR VALUES IN ({model_id:d})",
    ]
    if dimensions <= MAX_PLAIN_DIMENSIONS:
        statements.append(f"ALTER TABLE {table} ALTER COLUMN embedding SET STORAGE PLAIN")
    for statement in statements:
        await session.execute(text(statement))


def create_index(model_id: int, dimensions: int, *, concurrently: bool = False) -> str:
    """Return the statement that creates the HNSW index, in half precision to halve its memory.

    Twice pgvector's default of links and thrice its default of candidates: the embeddings of texts
    are far from those of all images, and need both (measured by ``benchmarks.search``).
    """
    how = "CONCURRENTLY IF NOT EXISTS" if concurrently else "IF NOT EXISTS"
    return (
        f"CREATE INDEX {how} {index_name(model_id)} ON {partition_name(model_id)} "
        f"USING hnsw ((embedding::halfvec({dimensions:d})) halfvec_ip_ops) "
        f"WITH (m = {LINKS}, ef_construction = 200)"
    )


def graph_bytes(dimensions: int) -> int:
    """Return about how much memory the graph of an index takes for each embedding."""
    return 2 * dimensions + 2 * LINKS * BYTES_PER_LINK
