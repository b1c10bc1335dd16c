"""The contract of concept stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from domain.entities.embeddings import EmbeddingModel
from infra.clip.concepts import ConceptBank
from infra.postgres.engine import open_engine
from infra.postgres.models.concepts import PostgresConcepts
from tests.contracts.conftest import MODEL
from tests.fakes.concepts import MemoryConceptStore
from tests.fakes.encoder import FakeEncoder
from tests.postgres_library import activate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from infra.clip.concepts import ConceptStore

ONE, OTHER = "a" * 64, "b" * 64
BYTES = bytes(range(256)) * 1_000


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ConceptStore]:
    if request.param == "memory":
        yield MemoryConceptStore()
        return
    async with open_engine(request.getfixturevalue("postgres_url")) as engine:
        yield PostgresConcepts(engine, await activate(engine, MODEL))


async def test_an_empty_store_finds_nothing(store: ConceptStore) -> None:
    assert await store.find(ONE) is None


async def test_embeddings_are_found_by_their_digest_only(store: ConceptStore) -> None:
    await store.keep(ONE, BYTES)
    assert BYTES == await store.find(ONE)
    assert await store.find(OTHER) is None


async def test_new_embeddings_replace_the_previous_ones(store: ConceptStore) -> None:
    await store.keep(ONE, BYTES)
    await store.keep(ONE, BYTES[::-1])
    assert BYTES[::-1] == await store.find(ONE)
    await store.keep(OTHER, b"")
    assert b"" == await store.find(OTHER)
    assert await store.find(ONE) is None


async def test_a_second_bank_over_the_same_store_encodes_nothing(store: ConceptStore) -> None:
    concepts = ("a boat", "a house", "a tree")
    first, second = FakeEncoder(), FakeEncoder()
    encoded = await ConceptBank(first, store, concepts)()
    found = await ConceptBank(second, store, concepts)()
    assert (encoded == found).all()
    assert (list(concepts), []) == (first.texts, second.texts)


async def test_servers_of_one_database_share_the_embeddings_of_a_model(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        await PostgresConcepts(engine, await activate(engine, MODEL)).keep(ONE, BYTES)
    async with open_engine(postgres_url) as engine:
        model = await activate(engine, MODEL)
        assert BYTES == await PostgresConcepts(engine, model).find(ONE)
        # As after a model change.
        other = await activate(engine, EmbeddingModel("tests/other", 3))
        assert other.id != model.id
        store = PostgresConcepts(engine, other)
        assert await store.find(ONE) is None
        await store.keep(ONE, b"other")
        assert BYTES == await PostgresConcepts(engine, model).find(ONE)
