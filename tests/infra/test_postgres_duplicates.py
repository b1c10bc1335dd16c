"""What only PostgreSQL promises of duplicates: few links, turns, and no trouble with deletions."""

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
from infra.postgres.duplicates.comparison import LINKS, TURNS, compare
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
async def catalog(postgres_url: str) -> AsyncIterator[PostgresLibrary]:
    async with open_engine(postgres_url) as engine:
        yield await PostgresLibrary.open(engine, EmbeddingModel("tests/small", 3))


@pytest.fixture
def duplicates(catalog: PostgresLibrary) -> PostgresDuplicates:
    return another(catalog)


def another(catalog: PostgresLibrary) -> PostgresDuplicates:
    """The duplicates as one more server has them."""
    assert catalog.model
    return PostgresDuplicates(catalog.engine, catalog.model)


async def add(
    catalog: PostgresLibrary, perceptual_hash: bytes, pixels: str, embedding: Embedding = EAST
) -> Image:
    image = image_with(perceptual_hash=perceptual_hash, pixel_sha256=pixels)
    return await catalog.add(image, embedding)


async def groups(duplicates: PostgresDuplicates) -> set[frozenset[UUID]]:
    oldest = oldest_of_group(await duplicates.pairs(NEAR))
    return {
        frozenset(id_ for id_, its in oldest.items() if its == first)
        for first in set(oldest.values())
    }


@pytest.mark.parametrize("same", ["pixels", "hash"])
async def test_equal_pictures_get_one_link_each(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates, same: str
) -> None:
    for number in range(150):
        await add(catalog, hash_of(1), "same" if same == "pixels" else str(number))
    await duplicates.update()
    ids = {image_id for group in await groups(duplicates) for image_id in group}
    assert 150 == len(ids)
    assert 149 == len(await duplicates.pairs(NEAR))
    assert 149 == len(await duplicates.pairs_among(ids, NEAR))


async def test_pictures_that_are_all_alike_get_a_bounded_number_of_links(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    for number in range(2 * LINKS):
        await add(catalog, turned(hash_of(1), 8, seed=number), str(number))
    await duplicates.update()
    assert [2 * LINKS] == [len(group) for group in await groups(duplicates)]
    assert len(await duplicates.pairs(NEAR)) < 2 * LINKS * LINKS


async def test_pictures_of_one_hash_that_are_not_alike_are_told_apart(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    angles = [EAST, NORTH, UP] * 4
    images = [await add(catalog, hash_of(1), str(n), angle) for n, angle in enumerate(angles)]
    await duplicates.update()
    expected = {frozenset(image.id for image in images[kind::3]) for kind in range(3)}
    assert expected == await groups(duplicates)
    assert TURNS >= 3


async def test_many_pictures_of_one_hash_that_are_all_unlike_are_in_no_group(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    there_and_back = [EAST, NORTH, UP, (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)]
    for number, embedding in enumerate(there_and_back):
        await add(catalog, hash_of(1), str(number), embedding)
    assert 6 == await duplicates.update()
    assert set() == await groups(duplicates)
    last = await add(catalog, hash_of(1), "last", there_and_back[5])
    await duplicates.update()
    assert [2] == [len(group) for group in await groups(duplicates) if last.id in group]


async def test_servers_that_compare_at_once_take_turns(
    catalog: PostgresLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 20)
    monkeypatch.setattr(module, "PAIRS", 7)
    for number in range(100):
        await add(catalog, turned(hash_of(number // 4), number % 4, seed=number), str(number))
    servers = [another(catalog) for _ in range(3)]
    counts = await asyncio.gather(*(server.update() for server in servers for _ in range(2)))
    assert [0, 20, 20, 20, 20, 20] == sorted(counts)
    assert [4] * 25 == [len(group) for group in await groups(servers[0])]


async def test_what_is_deleted_while_it_is_compared_leaves_nothing_behind(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 10)
    images = [await add(catalog, hash_of(n // 8), str(n // 16)) for n in range(96)]
    gone = [image.id for place, image in enumerate(images) if place % 8 in {0, 3, 5}]

    async def delete() -> None:
        for start in range(0, len(gone), 3):
            await catalog.delete(gone[start : start + 3])

    await asyncio.gather(delete(), *(duplicates.update() for _ in range(9)))
    while await duplicates.update():
        pass
    left = [image.id for image in images if image.id not in gone]
    assert {frozenset(left[start : start + 10]) for start in range(0, 60, 10)} == await groups(
        duplicates
    )


async def test_a_first_copy_that_goes_while_its_copies_are_compared_is_no_first(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await add(catalog, hash_of(1), "1")
    await duplicates.update()
    copies = [await add(catalog, hash_of(1), "1") for _ in range(2)]
    like = await add(catalog, turned(hash_of(1), 3), "2")

    async def deleted_meanwhile(*args: object, **kwargs: object) -> object:
        compared = await compare(*args, **kwargs)  # type: ignore[arg-type]  # handed on
        await catalog.delete([first.id])
        return compared

    monkeypatch.setattr(module, "compare", deleted_meanwhile)
    while await duplicates.update():
        pass
    assert {frozenset({copies[0].id, copies[1].id, like.id})} == await groups(duplicates)


async def test_links_are_read_in_portions(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PORTION", 3)
    images = [await add(catalog, hash_of(1), str(number)) for number in range(8)]
    assert [] == await duplicates.pairs(NEAR)
    await duplicates.update()
    assert len(images) - 1 == len(await duplicates.pairs(NEAR))


async def test_the_event_loop_is_left_alone_while_images_are_compared(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def seen(work: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            threads.add(threading.current_thread())
            return work(*args, **kwargs)

        return wrapped

    for name in ("link_copies", "_go_through_roots", "near_pairs", "Likeness"):
        monkeypatch.setattr(comparison, name, seen(getattr(comparison, name)))
    for bits, pixels in ((0, "1"), (0, "1"), (0, "2"), (5, "3")):
        await add(catalog, turned(hash_of(1), bits), pixels)
    await duplicates.update()
    assert [4] == [len(group) for group in await groups(duplicates)]
    assert threads
    assert threading.current_thread() not in threads


async def test_of_images_that_are_deleted_nothing_is_kept(
    catalog: PostgresLibrary, duplicates: PostgresDuplicates
) -> None:
    images = [await add(catalog, hash_of(1), "1") for _ in range(5)]
    await duplicates.update()
    await catalog.delete([image.id for image in images])
    async with catalog.engine.connect() as connection:
        for table in ("likenesses", "comparisons"):
            assert 0 == await connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - two names of ours
