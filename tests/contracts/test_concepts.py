"""What every shelf of encoded concepts promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from domain.entities.embeddings import EmbeddingModel
from infra.clip.concepts import ConceptBank
from infra.postgres.engine import open_engine
from infra.postgres.models.active import activate
from infra.postgres.models.concepts import PostgresConcepts
from tests.contracts.conftest import MODEL
from tests.fakes.concepts import MemoryShelf
from tests.fakes.encoder import FakeEncoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from infra.clip.concepts import ConceptStore

ONE, OTHER = "a" * 64, "b" * 64
BYTES = bytes(range(256)) * 1_000


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def shelf(request: pytest.FixtureRequest) -> AsyncIterator[ConceptStore]:
    if request.param == "memory":
        yield MemoryShelf()
        return
    async with open_engine(request.getfixturevalue("postgres_url")) as engine:
        yield PostgresConcepts(engine, await activate(engine, MODEL))


async def test_nothing_is_found_before_something_is_kept(shelf: ConceptStore) -> None:
    assert await shelf.find(ONE) is None


async def test_what_was_kept_is_found_by_its_digest_alone(shelf: ConceptStore) -> None:
    await shelf.keep(ONE, BYTES)
    assert BYTES == await shelf.find(ONE)
    assert await shelf.find(OTHER) is None


async def test_other_concepts_take_the_place_of_the_last(shelf: ConceptStore) -> None:
    await shelf.keep(ONE, BYTES)
    await shelf.keep(ONE, BYTES[::-1])
    assert BYTES[::-1] == await shelf.find(ONE)
    await shelf.keep(OTHER, b"")
    assert b"" == await shelf.find(OTHER)
    assert await shelf.find(ONE) is None


async def test_another_bank_over_the_same_shelf_encodes_nothing(shelf: ConceptStore) -> None:
    concepts = ("a boat", "a house", "a tree")
    first, second = FakeEncoder(), FakeEncoder()
    encoded = await ConceptBank(first, shelf, concepts)()
    found = await ConceptBank(second, shelf, concepts)()
    assert (encoded == found).all()
    assert (list(concepts), []) == (first.texts, second.texts)


async def test_another_server_of_the_database_finds_what_was_kept_for_its_model(
    postgres_url: str,
) -> None:
    async with open_engine(postgres_url) as engine:
        await PostgresConcepts(engine, await activate(engine, MODEL)).keep(ONE, BYTES)
    async with open_engine(postgres_url) as engine:
        model = await activate(engine, MODEL)
        assert BYTES == await PostgresConcepts(engine, model).find(ONE)
        # As in a library whose images were all embedded anew.
        other = await activate(engine, EmbeddingModel("tests/other", 3))
        assert other.id != model.id
        shelf = PostgresConcepts(engine, other)
        assert await shelf.find(ONE) is None
        await shelf.keep(ONE, b"other")
        assert BYTES == await PostgresConcepts(engine, model).find(ONE)
