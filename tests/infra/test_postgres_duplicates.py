"""PostgresDuplicates: numbers of pairs, concurrent updates, and concurrent deletes."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.near_duplicates import Collapse, oldest_of_group
from infra.postgres.duplicates import comparison
from infra.postgres.duplicates import duplicates as module
from infra.postgres.duplicates.comparison import (
    MAX_PAIRS_PER_IMAGE,
    MAX_REPRESENTATIVES_PER_HASH,
    compare,
)
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image

EAST, NORTH, UP = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
NEAR = Collapse.NEAR_DUPLICATES


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[PostgresLibrary]:
    async with open_engine(postgres_url) as engine:
        yield await PostgresLibrary.open(engine, EmbeddingModel("tests/small", 3))


@pytest.fixture
def duplicates(library: PostgresLibrary) -> PostgresDuplicates:
    return duplicates_of(library)


def duplicates_of(library: PostgresLibrary) -> PostgresDuplicates:
    """Return the adapter of one more server."""
    assert library.model
    return PostgresDuplicates(library.engine, library.model)


async def add(
    library: PostgresLibrary, perceptual_hash: bytes, pixels: str, embedding: Embedding = EAST
) -> Image:
    image = image_with(perceptual_hash=perceptual_hash, pixel_sha256=pixels)
    return await library.add(image, embedding)


async def groups(duplicates: PostgresDuplicates) -> set[frozenset[UUID]]:
    oldest = oldest_of_group(await duplicates.pairs(NEAR))
    return {
        frozenset(id_ for id_, its in oldest.items() if its == first)
        for first in set(oldest.values())
    }


@pytest.mark.parametrize("same", ["pixels", "hash"])
async def test_n_equal_images_get_n_minus_1_pairs(
    library: PostgresLibrary, duplicates: PostgresDuplicates, same: str
) -> None:
    for number in range(150):
        await add(library, hash_of(1), "same" if same == "pixels" else str(number))
    await duplicates.update()
    ids = {image_id for group in await groups(duplicates) for image_id in group}
    assert 150 == len(ids)
    assert 149 == len(await duplicates.pairs(NEAR))
    assert 149 == len(await duplicates.pairs_among(ids, NEAR))


async def test_near_images_get_a_bounded_number_of_pairs_each(
    library: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    for number in range(2 * MAX_PAIRS_PER_IMAGE):
        await add(library, turned(hash_of(1), 8, seed=number), str(number))
    await duplicates.update()
    assert [2 * MAX_PAIRS_PER_IMAGE] == [len(group) for group in await groups(duplicates)]
    assert len(await duplicates.pairs(NEAR)) < 2 * MAX_PAIRS_PER_IMAGE * MAX_PAIRS_PER_IMAGE


async def test_images_of_one_hash_with_different_embeddings_are_in_different_groups(
    library: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    angles = [EAST, NORTH, UP] * 4
    images = [await add(library, hash_of(1), str(n), angle) for n, angle in enumerate(angles)]
    await duplicates.update()
    expected = {frozenset(image.id for image in images[kind::3]) for kind in range(3)}
    assert expected == await groups(duplicates)
    assert MAX_REPRESENTATIVES_PER_HASH >= 3


async def test_images_past_the_representatives_of_their_hash_are_compared_as_near_images(
    library: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    embeddings = [EAST, NORTH, UP, (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)]
    for number, embedding in enumerate(embeddings):
        await add(library, hash_of(1), str(number), embedding)
    assert len(embeddings) == await duplicates.update()
    assert set() == await groups(duplicates)
    last = await add(library, hash_of(1), "last", embeddings[5])
    await duplicates.update()
    assert [2] == [len(group) for group in await groups(duplicates) if last.id in group]


async def test_concurrent_updates_run_one_at_a_time(
    library: PostgresLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IMAGES_PER_UPDATE", 20)
    monkeypatch.setattr(module, "PAIRS_PER_STATEMENT", 7)
    for number in range(100):
        await add(library, turned(hash_of(number // 4), number % 4, seed=number), str(number))
    servers = [duplicates_of(library) for _ in range(3)]
    counts = await asyncio.gather(*(server.update() for server in servers for _ in range(2)))
    assert [0, 20, 20, 20, 20, 20] == sorted(counts)
    assert [4] * 25 == [len(group) for group in await groups(servers[0])]


async def test_groups_are_complete_after_deletes_during_updates(
    library: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IMAGES_PER_UPDATE", 10)
    images = [await add(library, hash_of(n // 8), str(n // 16)) for n in range(96)]
    deleted_ids = [image.id for place, image in enumerate(images) if place % 8 in {0, 3, 5}]

    async def delete() -> None:
        for start in range(0, len(deleted_ids), 3):
            await library.delete(deleted_ids[start : start + 3])

    await asyncio.gather(delete(), *(duplicates.update() for _ in range(9)))
    while await duplicates.update():
        pass
    kept = [image.id for image in images if image.id not in deleted_ids]
    assert {frozenset(kept[start : start + 10]) for start in range(0, 60, 10)} == await groups(
        duplicates
    )


async def test_copies_whose_first_copy_is_deleted_during_an_update_are_compared_again(
    library: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await add(library, hash_of(1), "1")
    await duplicates.update()
    copies = [await add(library, hash_of(1), "1") for _ in range(2)]
    near = await add(library, turned(hash_of(1), 3), "2")

    async def compare_and_delete(*args: object, **kwargs: object) -> object:
        result = await compare(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        await library.delete([first.id])
        return result

    monkeypatch.setattr(module, "compare", compare_and_delete)
    while await duplicates.update():
        pass
    assert {frozenset({copies[0].id, copies[1].id, near.id})} == await groups(duplicates)


async def test_pairs_are_read_in_several_arrays(
    library: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAIRS_PER_ARRAY", 3)
    images = [await add(library, hash_of(1), str(number)) for number in range(8)]
    assert [] == await duplicates.pairs(NEAR)
    await duplicates.update()
    assert len(images) - 1 == len(await duplicates.pairs(NEAR))


async def test_images_are_compared_outside_of_the_event_loop(
    library: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def recording_thread(function: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            threads.add(threading.current_thread())
            return function(*args, **kwargs)

        return wrapped

    for name in ("pair_exact_copies", "_compress_paths", "near_pairs", "MeasuredPair"):
        monkeypatch.setattr(comparison, name, recording_thread(getattr(comparison, name)))
    for bits, pixels in ((0, "1"), (0, "1"), (0, "2"), (5, "3")):
        await add(library, turned(hash_of(1), bits), pixels)
    await duplicates.update()
    assert [4] == [len(group) for group in await groups(duplicates)]
    assert threads
    assert threading.current_thread() not in threads


async def test_pairs_and_comparisons_of_deleted_images_are_deleted(
    library: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    images = [await add(library, hash_of(1), "1") for _ in range(5)]
    await duplicates.update()
    await library.delete([image.id for image in images])
    async with library.engine.connect() as connection:
        for table in ("likenesses", "comparisons"):
            assert 0 == await connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - two names of ours
