"""Real outputs of CLIP ViT-B/32, and what an exact search finds among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import bindparam, cast, insert, text
from sqlalchemy.dialects.postgresql import ARRAY, REAL

from domain.embeddings import EmbeddingModel, Query, QueryKind
from domain.images import Image, ImageStatus
from infra.postgres import PostgresCatalog
from infra.postgres.models import index_of
from infra.postgres.rows import image_row
from infra.postgres.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.embeddings import Ranking

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "real-clip"
MODEL = EmbeddingModel("openai/clip-vit-base-patch32", 512)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Queries of one kind, each with its true nearest rows, the nearest first."""

    queries: tuple[Query, ...]
    rows: NDArray[np.int32]

    def one_in(self, number: int) -> Neighbours:
        """Return every so manyth query."""
        return Neighbours(self.queries[::number], self.rows[::number])

    def recall(self, rankings: Sequence[Ranking], *, at: int = 20) -> float:
        """Return the share of the true ``at`` nearest that are among the first ``at`` hits."""
        found = [
            len({hit.image_id.int for hit in ranking.hits[:at]} & set(map(int, truth[:at])))
            for ranking, truth in zip(rankings, self.rows, strict=False)
        ]
        return sum(found) / (at * len(rankings))


@dataclass(frozen=True, slots=True)
class Library:
    """Pictures' vectors, and queries with their answers."""

    vectors: NDArray[np.float32]
    images: Neighbours
    texts: Neighbours


def vectors(name: str) -> NDArray[np.float32]:
    """Read vectors of length 1."""
    return np.asarray(np.load(FOLDER / f"{name}_vectors.f16.npy"), dtype=np.float32)


def queries(points: NDArray[np.float32], kind: QueryKind) -> tuple[Query, ...]:
    """Return the points as queries."""
    return tuple(Query(point, kind) for point in points.tolist())


def large_library() -> Library:
    """Return the 33,256 vectors, 1,000 queries by image and 2,648 by text."""
    truth = np.load(FOLDER / "ann_ground_truth.npz")
    every = vectors("ann")
    return Library(
        every[truth["base_rows"]],
        Neighbours(queries(every[truth["query_rows"]], QueryKind.IMAGE), truth["img_nn"]),
        Neighbours(queries(vectors("text"), QueryKind.TEXT), truth["text_nn"]),
    )


def captioned() -> tuple[NDArray[np.float32], Neighbours]:
    """Return 4,839 pictures' vectors, and 500 captions, each with the one row it describes."""
    lines = (FOLDER / "images.jsonl").read_text().splitlines()
    rows = {json.loads(line)["path"]: row for row, line in enumerate(lines)}
    texts = [json.loads(line) for line in (FOLDER / "texts.jsonl").read_text().splitlines()]
    described = [(line["row"], rows[line["image"]]) for line in texts if "image" in line]
    points = vectors("text")[[row for row, _ in described]]
    truth = np.array([[row] for _, row in described], dtype=np.int32)
    return vectors("image"), Neighbours(queries(points, QueryKind.TEXT), truth)


async def load(engine: AsyncEngine, points: NDArray[np.float32]) -> PostgresCatalog:
    """Open a catalog and fill it in bulk: row n is the image whose id is the number n.

    The index is built once at the end, as PostgreSQL advises for bulk loads.
    """
    catalog = await PostgresCatalog.open(engine, MODEL)
    model = catalog.model
    assert model is not None  # noqa: S101 - just opened with one
    images, embeddings = metadata.tables["images"], metadata.tables["embeddings"]
    vector = cast(bindparam("vector", type_=ARRAY(REAL)), VECTOR())
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP INDEX {model.partition}_hnsw"))
        await connection.execute(
            insert(images),
            [image_row(_image(row, now)).model_dump() for row in range(len(points))],
        )
        await connection.execute(
            insert(embeddings).values(model_id=model.id, embedding=vector),
            [
                {"image_id": UUID(int=row), "vector": point}
                for row, point in enumerate(points.tolist())
            ],
        )
        await connection.execute(text(index_of(model)))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))
    return catalog


def _image(row: int, now: datetime) -> Image:
    """Return an image with tags of every selectivity: ``tenth`` is on one of ten."""
    shares = {"half": 2, "tenth": 10, "hundredth": 100, "thousandth": 1000}
    return Image(
        id=UUID(int=row),
        filename=f"{row}.jpg",
        content_type="image/jpeg",
        byte_size=row,
        sha256=f"{row:064x}",
        created_at=now,
        status=ImageStatus.READY,
        width=640,
        height=480,
        tags=tuple(sorted(tag for tag, share in shares.items() if row * 2654435761 % share == 0)),
    )
