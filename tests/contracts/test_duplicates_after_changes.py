"""The contract of Duplicates after images were deleted, or got their hash later."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.contracts.duplicate_groups import (
    EAST,
    EXACT,
    NEAR,
    expected_groups,
    groups,
    ids_of,
    random_images,
)
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.ports import Duplicates
    from tests.postgres_library import ImageLibrary


@pytest.fixture
async def original(catalog: ImageLibrary) -> Image:
    """An image that others are duplicates of."""
    return await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)


async def test_a_group_stays_connected_when_its_images_are_deleted_one_by_one(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    copies = [image_with(perceptual_hash=hash_of(1), pixel_sha256="1") for _ in range(3)]
    equals = [image_with(perceptual_hash=hash_of(1), pixel_sha256=digest) for digest in "23"]
    near = image_with(perceptual_hash=turned(hash_of(1), 9), pixel_sha256="4")
    for image in (*copies, *equals, near):
        await catalog.add(image, EAST)
    await duplicates.update()
    remaining = [original, *copies, *equals, near]
    while len(remaining) > 2:
        await catalog.delete([remaining.pop(0).id])
        await duplicates.update()
        assert {ids_of(*remaining)} == groups(await duplicates.pairs(NEAR))
    await catalog.delete([remaining[0].id])
    assert [] == await duplicates.pairs(NEAR)


async def test_an_image_whose_representative_was_deleted_is_compared_with_later_images(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    equal = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
    await duplicates.update()
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
    await duplicates.update()
    await catalog.delete([original.id])
    await duplicates.update()
    later = await catalog.add(
        image_with(perceptual_hash=turned(hash_of(1), 6), pixel_sha256="3"), EAST
    )
    await duplicates.update()
    assert {ids_of(equal, copy, later)} == groups(await duplicates.pairs(NEAR))
    assert {ids_of(equal, copy)} == groups(await duplicates.pairs(EXACT))


async def test_an_image_that_gets_its_hash_late_joins_the_group_of_its_copies(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    """The older image gets its hash after a newer copy of it got a representative."""
    older = await catalog.add(image_with(), EAST)
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
    await duplicates.update()
    await duplicates.set_hash(older.id, perceptual_hash=hash_of(1), pixel_sha256="2")
    await duplicates.update()
    assert {ids_of(original, older, copy)} == groups(await duplicates.pairs(NEAR))
    await catalog.delete([original.id])
    await duplicates.update()
    assert {ids_of(older, copy)} == groups(await duplicates.pairs(NEAR))
    later = await catalog.add(
        image_with(perceptual_hash=turned(hash_of(1), 3), pixel_sha256="3"), EAST
    )
    await duplicates.update()
    assert {ids_of(older, copy, later)} == groups(await duplicates.pairs(NEAR))


async def test_exact_copies_stay_connected_when_the_first_of_them_is_deleted(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    """The representative of the first copy, an image of the same hash, is kept."""
    first, *copies = [
        await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
        for _ in range(3)
    ]
    await duplicates.update()
    await catalog.delete([first.id])
    await duplicates.update()
    assert {ids_of(*copies)} == groups(await duplicates.pairs(EXACT))
    assert {ids_of(original, *copies)} == groups(await duplicates.pairs(NEAR))


async def test_an_image_that_is_hashed_again_is_compared_with_images_that_came_meanwhile(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    """An upgrade forgets hashes of images that were compared."""
    await duplicates.update()
    await forget_hashes(catalog, original)
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)
    await duplicates.update()
    assert [] == await duplicates.pairs(NEAR)
    await set_hash(duplicates, original)
    await duplicates.update()
    assert {ids_of(original, copy)} == groups(await duplicates.pairs(NEAR))
    assert {ids_of(original, copy)} == groups(await duplicates.pairs(EXACT))


@pytest.mark.parametrize("seed", range(3))
async def test_groups_after_random_changes_are_those_of_comparing_all_pairs(
    catalog: ImageLibrary, duplicates: Duplicates, seed: int
) -> None:
    random = Random(seed)
    images, embeddings = random_images(random, motifs=12)
    hashed: list[Image] = []
    unhashed: list[Image] = []
    for image in images:
        if random.random() < 0.2:
            without_hash = replace(image, perceptual_hash=None, pixel_sha256=None)
            await catalog.add(without_hash, embeddings[image.id])
            unhashed.append(image)
        else:
            hashed.append(await catalog.add(image, embeddings[image.id]))
        if unhashed and random.random() < 0.2:
            hashed.append(unhashed.pop(random.randrange(len(unhashed))))
            await set_hash(duplicates, hashed[-1])
        if random.random() < 0.4:
            await duplicates.update()
        if hashed and random.random() < 0.4:
            await catalog.delete([hashed.pop(random.randrange(len(hashed))).id])
    await duplicates.update()
    assert expected_groups(hashed, embeddings, NEAR) == groups(await duplicates.pairs(NEAR))
    assert expected_groups(hashed, embeddings, EXACT) == groups(await duplicates.pairs(EXACT))
    among = await duplicates.pairs_among([image.id for image in hashed], NEAR)
    assert expected_groups(hashed, embeddings, NEAR) == groups(among)


async def forget_hashes(catalog: ImageLibrary, image: Image) -> None:
    if isinstance(catalog, MemoryCatalog):
        unhashed = replace(image, perceptual_hash=None, pixel_sha256=None)
        catalog._images[image.id] = unhashed  # noqa: SLF001 - no port removes hashes
        return
    assert isinstance(catalog, PostgresLibrary)
    async with catalog.engine.begin() as connection:
        forget = text(
            "UPDATE images SET perceptual_hash = NULL, pixel_sha256 = NULL WHERE id = :id"
        )
        await connection.execute(forget, {"id": image.id})


async def set_hash(duplicates: Duplicates, image: Image) -> None:
    assert image.perceptual_hash
    await duplicates.set_hash(
        image.id, perceptual_hash=image.perceptual_hash, pixel_sha256=image.pixel_sha256
    )
