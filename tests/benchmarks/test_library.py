"""The library of the benchmarks, on a real database."""

from __future__ import annotations

import numpy as np
from sqlalchemy import text

from benchmarks.bulk import load
from benchmarks.clip_vectors import ClipGeometry
from benchmarks.library import BareSearch, copy_to_plain, vector_index
from benchmarks.plain_pipeline import PictureRow
from domain.entities.embeddings import EmbeddingModel
from infra.postgres.engine import open_engine

COUNT = 300
MODEL = EmbeddingModel("synthetic", 512)


async def test_the_bare_driver_scans_the_index_that_pictograph_built(postgres_url: str) -> None:
    points = ClipGeometry(COUNT).picture_vectors(0, COUNT)
    async with open_engine(postgres_url) as engine:
        await load(engine, points, model=MODEL)
        async with engine.connect() as connection:
            index = await vector_index(connection)
            literal = f"'{points[7].tolist()}'::halfvec(512)"
            await connection.execute(text("SET enable_seqscan = off"))
            plan = await connection.scalars(text(f"EXPLAIN {index.nearest(literal, 20)}"))
            assert "Index Scan" in "\n".join(plan)
        async with BareSearch.connect(postgres_url, points) as bare:
            found = [(await bare.run(number))[0].int for number in range(0, COUNT, 30)]
    # Image n has the id n and the vector n, and a picture is its own nearest neighbour.
    assert list(range(0, COUNT, 30)) == found


async def test_the_plain_pipeline_has_the_same_vectors(postgres_url: str) -> None:
    points = ClipGeometry(COUNT).picture_vectors(0, COUNT)
    async with open_engine(postgres_url) as engine:
        await load(engine, points, model=MODEL)
        await copy_to_plain(engine)
        async with engine.connect() as connection:
            rows = await connection.execute(
                text(f"SELECT id, embedding::text FROM {PictureRow.__table__}")  # noqa: S608
            )
            copied = {row.id.int: row.embedding for row in rows}
    assert set(range(COUNT)) == set(copied)
    vector = np.fromstring(copied[5].strip("[]"), np.float32, sep=",")
    np.testing.assert_allclose(points[5], vector, atol=1e-6)
