"""The concept bank that texts are compared with."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.errors import Overloaded
from infra.clip.concepts import CHECKED_CONCEPTS, CONCEPT_BATCH_SIZE, ConceptBank, read_concepts
from tests.fakes.concepts import MemoryConceptStore
from tests.fakes.encoder import FakeEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.embeddings import Embedding

CONCEPTS = tuple(f"a thing {number}" for number in range(2 * CONCEPT_BATCH_SIZE + 7))


class BlockableEncoder(FakeEncoder):
    """Blocks every call until ``released`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.called = asyncio.Event()
        self.released = asyncio.Event()

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        self.called.set()
        await self.released.wait()
        return await super().encode_texts(texts)


def test_concepts_are_about_two_thousand_distinct_plain_texts() -> None:
    concepts = read_concepts()
    assert 1_800 <= len(concepts) <= 2_200
    assert len(concepts) == len({concept.casefold() for concept in concepts})
    for concept in concepts:
        article, _, words = concept.partition(" ")
        assert ("an" if words[0] in "aeiou" else "a") == article
        assert words.replace(" ", "").replace("-", "").replace("'", "").isalpha(), concept
        assert words.isascii()
        assert " ".join(words.split()) == words


async def test_concepts_are_encoded_once_in_order_and_in_batches() -> None:
    encoder = FakeEncoder()
    bank = ConceptBank(encoder, MemoryConceptStore(), CONCEPTS)
    embeddings = await bank()
    assert list(CONCEPTS) == encoder.texts
    assert 3 == encoder.calls
    expected = np.array(await FakeEncoder().encode_texts(CONCEPTS), np.float32)
    assert (expected == embeddings).all()
    assert embeddings is await bank()
    assert 3 == encoder.calls


async def test_changed_concepts_are_encoded_again() -> None:
    encoder, store = FakeEncoder(), MemoryConceptStore()
    await ConceptBank(encoder, store, CONCEPTS)()
    encoder.texts.clear()
    fewer = await ConceptBank(encoder, store, CONCEPTS[:5])()
    assert (5, encoder.model.dimensions) == fewer.shape
    assert list(CONCEPTS[:5]) == encoder.texts


async def test_concurrent_first_calls_are_coalesced() -> None:
    encoder = FakeEncoder()
    bank = ConceptBank(encoder, MemoryConceptStore(), CONCEPTS)
    first, *others = await asyncio.gather(*(bank() for _ in range(10)))
    assert all(other is first for other in others)
    assert list(CONCEPTS) == encoder.texts


async def test_cancelling_the_first_caller_does_not_cancel_the_load() -> None:
    encoder = BlockableEncoder()
    bank = ConceptBank(encoder, MemoryConceptStore(), CONCEPTS)
    cancelled, staying = asyncio.create_task(bank()), asyncio.create_task(bank())
    await encoder.called.wait()
    cancelled.cancel()
    encoder.released.set()
    assert len(CONCEPTS) == len(await staying)
    assert cancelled.cancelled()
    assert list(CONCEPTS) == encoder.texts


async def test_a_load_whose_only_caller_was_cancelled_is_completed() -> None:
    encoder = BlockableEncoder()
    bank = ConceptBank(encoder, MemoryConceptStore(), CONCEPTS)
    cancelled = asyncio.create_task(bank())
    await encoder.called.wait()
    cancelled.cancel()
    encoder.released.set()
    await asyncio.wait([cancelled])
    await bank()
    assert list(CONCEPTS) == encoder.texts


async def test_a_load_that_failed_is_tried_again() -> None:
    encoder, store = FakeEncoder(), MemoryConceptStore()
    bank = ConceptBank(encoder, store, CONCEPTS)
    encoder.overloaded = True
    for failed in await asyncio.gather(bank(), bank(), return_exceptions=True):
        assert isinstance(failed, Overloaded)
    with pytest.raises(Overloaded):
        await bank()
    encoder.overloaded = False
    assert len(CONCEPTS) == len(await bank())


async def test_preparing_does_nothing_while_the_model_is_overloaded() -> None:
    encoder, store = FakeEncoder(), MemoryConceptStore()
    encoder.overloaded = True
    bank = ConceptBank(encoder, store, CONCEPTS)
    await bank.prepare()
    assert [] == encoder.texts
    encoder.overloaded = False
    await bank.prepare()
    await bank()
    assert list(CONCEPTS) == encoder.texts


async def test_an_encoder_that_computes_something_else_than_the_store_has_is_noticed() -> None:
    encoder, store = FakeEncoder(), MemoryConceptStore()
    bank = ConceptBank(encoder, store, CONCEPTS)
    assert await bank.mismatch() is None
    assert encoder.texts == []
    await bank()
    encoder.texts.clear()

    assert await bank.mismatch() is None
    assert CHECKED_CONCEPTS <= len(encoder.texts) <= 2 * CHECKED_CONCEPTS
    sha256 = hashlib.sha256("\n".join(CONCEPTS).encode()).hexdigest()
    stored = await store.find(sha256)
    assert stored
    reversed_ = np.frombuffer(stored, np.float32)[::-1]
    for other in (reversed_, np.full_like(reversed_, np.nan)):
        await store.keep(sha256, other.tobytes())
        assert "computes other embeddings" in str(await bank.mismatch())


async def test_stored_embeddings_of_another_size_are_encoded_again() -> None:
    encoder, store = FakeEncoder(), MemoryConceptStore()
    sha256 = hashlib.sha256("\n".join(CONCEPTS).encode()).hexdigest()
    for stored in (b"", b"odd", bytes(4 * len(CONCEPTS))):
        await store.keep(sha256, stored)
        encoder.texts.clear()
        bank = ConceptBank(encoder, store, CONCEPTS)
        assert await bank.mismatch() is None
        assert [] == encoder.texts
        assert (len(CONCEPTS), encoder.model.dimensions) == (await bank()).shape
