"""Random samples of the embeddings of a large library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from infra.postgres.engine import open_engine
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.from_thread import BlockingPortal

IMAGES, SIZE = 8_000, 500
MODEL = EmbeddingModel("tests/sixty-four", 64)
FILL = (
    text("""
        INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags)
        SELECT gen_random_uuid(), n::text, n || '.jpg', 'image/jpeg', n, now(), 'ready',
            ARRAY[]::text[] FROM generate_series(1, :count) AS n
    """),
    # The first entry is the number of the image, in the order of the inserts.
    text("""
        INSERT INTO embeddings SELECT id, 1,
            (ARRAY[byte_size / 10000.0]::real[] || array_fill(0.1::real, ARRAY[63]))::vector
        FROM images ORDER BY byte_size
    """),
)


@pytest.fixture(scope="module")
def filled_url(portal: BlockingPortal, postgres_module_url: str) -> str:
    async def fill() -> None:
        async with open_engine(postgres_module_url) as engine:
            await PostgresLibrary.open(engine, MODEL)
            async with engine.begin() as connection:
                # No test here scans the index, and filling it takes long.
                await connection.execute(text("DROP INDEX embeddings_1_hnsw"))
                await connection.execute(FILL[0], {"count": IMAGES})
                await connection.execute(FILL[1])

    portal.call(fill)
    return postgres_module_url


@pytest_asyncio.fixture
async def library(filled_url: str) -> AsyncIterator[PostgresLibrary]:
    async with open_engine(filled_url) as engine:
        yield await PostgresLibrary.open(engine, MODEL)


async def sampled_numbers(library: PostgresLibrary) -> list[int]:
    """Return the numbers of the images in a new sample, sorted."""
    vectors = np.array(await library.sample(SIZE))
    assert (len(vectors), 64) == vectors.shape
    assert np.allclose(0.1, vectors[:, 1:])
    return sorted(np.rint(10_000 * vectors[:, 0]).astype(int).tolist())


async def test_a_sample_of_a_large_library_has_about_the_requested_size(
    library: PostgresLibrary,
) -> None:
    for _ in range(5):
        sample = await sampled_numbers(library)
        assert 0.8 * SIZE <= len(sample) <= SIZE
        assert len(sample) == len(set(sample))
        assert 1 <= sample[0] <= sample[-1] <= IMAGES


async def test_old_and_new_images_are_sampled_evenly(library: PostgresLibrary) -> None:
    sampled = np.concatenate([await sampled_numbers(library) for _ in range(20)])
    shares = np.histogram(sampled, bins=4, range=(0, IMAGES + 1))[0] / len(sampled)
    assert shares.min() > 0.15


async def test_two_samples_differ(library: PostgresLibrary) -> None:
    assert await sampled_numbers(library) != await sampled_numbers(library)
