"""Records the statements that a library of 6,000 images sends to PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text

from domain.entities.embeddings import EmbeddingModel, Query, QueryKind
from domain.entities.filters import ImageFilter
from infra.postgres.models.partitions import create_index, index_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.entities.embeddings import Ranking
    from tests.postgres_library import PostgresLibrary

IMAGES = 6_000
EXACT_BELOW = 2_000
"""A lower bound than the product's, so that 6,000 images are enough for index scans."""
MODEL = EmbeddingModel("tests/sixteen", 16)
EVERYTHING = ImageFilter()
FILL = (
    # To build the index of all embeddings takes a tenth of the time of adding them one by one.
    text(f"DROP INDEX {index_name(1)}"),
    text("SELECT setseed(0.5)"),
    # Each tag is named by its share of the images; "rare" is one in a thousand. Places are spread
    # over the globe. About half of the images point away from QUERY; their camera make is "Far".
    text("""
        INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status,
            tags, taken_at, taken_at_local, latitude, longitude, rating)
        SELECT gen_random_uuid(), n::text, n || '.jpg', 'image/jpeg', n,
            '2024-01-01'::timestamptz + n * interval '1 minute', 'ready',
            array_remove(ARRAY[
                CASE WHEN n % 2 = 0 THEN 'half' END,
                CASE WHEN n % 100 = 0 THEN 'hundredth' END,
                CASE WHEN n % 4 = 0 AND n % 1000 > 0 THEN 'quarter' END,
                CASE WHEN n % 1000 = 0 THEN 'rare' END,
                CASE WHEN n % 10 = 0 THEN 'tenth' END
            ], NULL),
            '2020-01-01Z'::timestamptz + n * interval '1 hour',
            '2020-01-01'::timestamp + n * interval '1 hour',
            random() * 180 - 90, random() * 360 - 180, NULLIF(n % 6, 0)
        FROM generate_series(1, :count) AS n
    """),
    text("""
        INSERT INTO embeddings SELECT id, 1, l2_normalize(ARRAY(
            SELECT random() - 0.5 FROM generate_series(1, 16) WHERE images.id IS NOT NULL
        )::vector) FROM images
    """),
    text("""
        UPDATE images SET camera_make = 'Far' FROM embeddings
        WHERE image_id = id AND (embedding::real[])[1] < 0
    """),
    text(create_index(1, MODEL.dimensions)),
    text("ANALYZE"),
)
QUERY = Query([1.0] + [0.0] * 15, QueryKind.IMAGE)


@dataclass(frozen=True, slots=True)
class StatementRecorder:
    """A library, and the statements that it sent while they were recorded."""

    library: PostgresLibrary
    statements: list[tuple[str, Any]] = field(default_factory=list)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the statements of the block."""

        def record(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
            self.statements.append((statement, parameters))

        engine = self.library.engine.sync_engine
        event.listen(engine, "before_cursor_execute", record)
        yield
        event.remove(engine, "before_cursor_execute", record)

    async def plan(self) -> str:
        """Return the plan of the last recorded statement."""
        statement, parameters = self.statements[-1]
        async with self.library.engine.connect() as connection:
            # asyncpg's own connection: the recorded statement has numbered parameters.
            raw: Any = (await connection.get_raw_connection()).driver_connection
            return "\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {statement}", *parameters))

    async def search(
        self, criteria: ImageFilter, *, limit: int = 20, exact: bool = False, images: int = 0
    ) -> Ranking:
        """Search by QUERY, recorded."""
        with self.recording():
            return await self.library.search(
                QUERY, criteria, limit=limit, exact=exact, images=images
            )
