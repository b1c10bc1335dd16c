"""What every adapter of the port Duplicates promises of images that go, and are hashed late."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.contracts.alike import EAST, EXACT, NEAR, group, groups, groups_of_all, library
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.ports import Duplicates
    from tests.postgres_library import ImageLibrary


@pytest.fixture
async def sunset(catalog: ImageLibrary) -> Image:
    """A picture to be like."""
    return await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)


async def test_copies_stay_together_when_the_first_of_them_is_deleted(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    copies = [image_with(perceptual_hash=hash_of(1), pixel_sha256="1") for _ in range(3)]
    equals = [image_with(perceptual_hash=hash_of(1), pixel_sha256=digest) for digest in "23"]
    like = image_with(perceptual_hash=turned(hash_of(1), 9), pixel_sha256="4")
    for image in (*copies, *equals, like):
        await catalog.add(image, EAST)
    await duplicates.update()
    left = [sunset, *copies, *equals, like]
    while len(left) > 2:
        await catalog.delete([left.pop(0).id])
        await duplicates.update()
        assert {group(*left)} == groups(await duplicates.pairs(NEAR))
    await catalog.delete([left[0].id])
    assert [] == await duplicates.pairs(NEAR)


async def test_what_went_through_one_that_is_deleted_is_compared_with_what_comes_later(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    equal = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
    await duplicates.update()
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
    await duplicates.update()
    await catalog.delete([sunset.id])
    await duplicates.update()
    later = await catalog.add(
        image_with(perceptual_hash=turned(hash_of(1), 6), pixel_sha256="3"), EAST
    )
    await duplicates.update()
    assert {group(equal, copy, later)} == groups(await duplicates.pairs(NEAR))
    assert {group(equal, copy)} == groups(await duplicates.pairs(EXACT))


async def test_what_was_hashed_late_is_compared_through_its_copies(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    """The older one gets its hash after a newer copy went through a third."""
    older = await catalog.add(image_with(), EAST)
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
    await duplicates.update()
    await duplicates.set_hash(older.id, perceptual_hash=hash_of(1), pixel_sha256="2")
    await duplicates.update()
    assert {group(sunset, older, copy)} == groups(await duplicates.pairs(NEAR))
    await catalog.delete([sunset.id])
    await duplicates.update()
    assert {group(older, copy)} == groups(await duplicates.pairs(NEAR))
    later = await catalog.add(
        image_with(perceptual_hash=turned(hash_of(1), 3), pixel_sha256="3"), EAST
    )
    await duplicates.update()
    assert {group(older, copy, later)} == groups(await duplicates.pairs(NEAR))


async def test_copies_stay_together_when_the_one_they_are_copies_of_is_deleted(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    """The first of them, itself compared through a picture of the same hash that stays."""
    first, *copies = [
        await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="2"), EAST)
        for _ in range(3)
    ]
    await duplicates.update()
    await catalog.delete([first.id])
    await duplicates.update()
    assert {group(*copies)} == groups(await duplicates.pairs(EXACT))
    assert {group(sunset, *copies)} == groups(await duplicates.pairs(NEAR))


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_added_hashed_late_and_deleted_groups_are_those_of_comparing_all(
    catalog: ImageLibrary, duplicates: Duplicates, seed: int
) -> None:
    random = Random(seed)
    images, embeddings = library(random, motifs=12)
    here: list[Image] = []
    late: list[Image] = []
    for image in images:
        if random.random() < 0.2:
            unhashed = replace(image, perceptual_hash=None, pixel_sha256=None)
            await catalog.add(unhashed, embeddings[image.id])
            late.append(image)
        else:
            here.append(await catalog.add(image, embeddings[image.id]))
        if late and random.random() < 0.2:
            here.append(late.pop(random.randrange(len(late))))
            await hash_late(duplicates, here[-1])
        if random.random() < 0.4:
            await duplicates.update()
        if here and random.random() < 0.4:
            await catalog.delete([here.pop(random.randrange(len(here))).id])
    await duplicates.update()
    assert groups_of_all(here, embeddings, NEAR) == groups(await duplicates.pairs(NEAR))
    assert groups_of_all(here, embeddings, EXACT) == groups(await duplicates.pairs(EXACT))
    among = await duplicates.pairs_among([image.id for image in here], NEAR)
    assert groups_of_all(here, embeddings, NEAR) == groups(among)


async def hash_late(duplicates: Duplicates, image: Image) -> None:
    assert image.perceptual_hash
    await duplicates.set_hash(
        image.id, perceptual_hash=image.perceptual_hash, pixel_sha256=image.pixel_sha256
    )
