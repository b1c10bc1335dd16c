from __future__ import annotations

from benchmarks.growth import ADDED_VECTORS, MODEL, RECALL, growth_table, measure_in
from domain.entities.filters import EVERYTHING
from infra.postgres.engine import open_engine
from tests.postgres_library import PostgresLibrary

COUNT = 400


async def test_a_size_is_measured_at_the_recall_that_is_promised(postgres_url: str) -> None:
    growth = await measure_in(postgres_url, COUNT)
    assert COUNT == growth.vectors
    assert growth.recall >= RECALL
    # A vector has 512 numbers of four bytes, and the index has them in half precision.
    assert growth.bytes_a_vector > 512 * (4 + 2)
    async with open_engine(postgres_url) as engine:
        library = await PostgresLibrary.open(engine, MODEL)
        assert COUNT + ADDED_VECTORS == await library.count(EVERYTHING)
    head, [row] = growth_table([growth])
    assert len(head) == len(row)
