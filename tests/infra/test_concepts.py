"""The background that texts are compared with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.errors import Overloaded
from infra.clip.concepts import AT_ONCE, ConceptBank, read_concepts
from tests.fakes.concepts import MemoryShelf
from tests.fakes.encoder import FakeEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.embeddings import Embedding

CONCEPTS = tuple(f"a thing {number}" for number in range(2 * AT_ONCE + 7))


class SlowEncoder(FakeEncoder):
    """Encodes when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        self.asked.set()
        await self.let.wait()
        return await super().encode_texts(texts)


def test_concepts_are_about_two_thousand_plain_texts_and_none_is_there_twice() -> None:
    concepts = read_concepts()
    assert 1_800 <= len(concepts) <= 2_200
    assert len(concepts) == len({concept.casefold() for concept in concepts})
    for concept in concepts:
        article, _, words = concept.partition(" ")
        assert ("an" if words[0] in "aeiou" else "a") == article
        assert words.replace(" ", "").replace("-", "").replace("'", "").isalpha(), concept
        assert words.isascii()
        assert " ".join(words.split()) == words


async def test_concepts_are_encoded_once_in_order_and_in_parts() -> None:
    encoder = FakeEncoder()
    bank = ConceptBank(encoder, MemoryShelf(), CONCEPTS)
    embeddings = await bank()
    assert list(CONCEPTS) == encoder.texts
    assert 3 == encoder.calls
    expected = np.array(await FakeEncoder().encode_texts(CONCEPTS), np.float32)
    assert (expected == embeddings).all()
    assert embeddings is await bank()
    assert 3 == encoder.calls


async def test_other_concepts_are_encoded_anew() -> None:
    encoder, shelf = FakeEncoder(), MemoryShelf()
    await ConceptBank(encoder, shelf, CONCEPTS)()
    encoder.texts.clear()
    fewer = await ConceptBank(encoder, shelf, CONCEPTS[:5])()
    assert (5, encoder.model.dimensions) == fewer.shape
    assert list(CONCEPTS[:5]) == encoder.texts


async def test_many_first_users_have_them_encoded_once() -> None:
    encoder = FakeEncoder()
    bank = ConceptBank(encoder, MemoryShelf(), CONCEPTS)
    first, *others = await asyncio.gather(*(bank() for _ in range(10)))
    assert all(other is first for other in others)
    assert list(CONCEPTS) == encoder.texts


async def test_a_first_user_who_gives_up_takes_nothing_from_the_others() -> None:
    encoder = SlowEncoder()
    bank = ConceptBank(encoder, MemoryShelf(), CONCEPTS)
    hasty, patient = asyncio.create_task(bank()), asyncio.create_task(bank())
    await encoder.asked.wait()
    hasty.cancel()
    encoder.let.set()
    assert len(CONCEPTS) == len(await patient)
    assert hasty.cancelled()
    assert list(CONCEPTS) == encoder.texts


async def test_a_user_alone_who_gives_up_finds_the_work_done_the_next_time() -> None:
    encoder = SlowEncoder()
    bank = ConceptBank(encoder, MemoryShelf(), CONCEPTS)
    hasty = asyncio.create_task(bank())
    await encoder.asked.wait()
    hasty.cancel()
    encoder.let.set()
    await asyncio.wait([hasty])
    await bank()
    assert list(CONCEPTS) == encoder.texts


async def test_a_model_that_was_overloaded_is_asked_again() -> None:
    encoder, shelf = FakeEncoder(), MemoryShelf()
    bank = ConceptBank(encoder, shelf, CONCEPTS)
    encoder.overloaded = True
    for failed in await asyncio.gather(bank(), bank(), return_exceptions=True):
        assert isinstance(failed, Overloaded)
    with pytest.raises(Overloaded):
        await bank()
    encoder.overloaded = False
    assert len(CONCEPTS) == len(await bank())


async def test_concepts_are_prepared_where_there_is_time_and_otherwise_when_they_are_needed() -> (
    None
):
    encoder, shelf = FakeEncoder(), MemoryShelf()
    encoder.overloaded = True
    bank = ConceptBank(encoder, shelf, CONCEPTS)
    await bank.prepare()
    assert [] == encoder.texts
    encoder.overloaded = False
    await bank.prepare()
    await bank()
    assert list(CONCEPTS) == encoder.texts
