"""The contract of Duplicates."""

from __future__ import annotations

from math import cos
from random import Random
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import FLAT, Image, ImageStatus, uuid7
from domain.entities.near_duplicates import NEAR_DISTANCE
from tests.contracts.duplicate_groups import (
    EAST,
    EXACT,
    NEAR,
    NORTH,
    embedding_at,
    expected_groups,
    groups,
    id_of,
    ids_of,
    random_images,
)
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.entities.embeddings import Embedding
    from domain.ports import Duplicates
    from tests.postgres_library import ImageLibrary


@pytest.fixture
async def original(catalog: ImageLibrary) -> Image:
    """An image that others are duplicates of."""
    return await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)


async def test_images_of_the_same_pixels_are_exact_copies(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)
    await catalog.add(image_with(perceptual_hash=hash_of(2), pixel_sha256="2"), EAST)
    assert 3 == await duplicates.update()
    for kind in (EXACT, NEAR):
        [pair] = await duplicates.pairs(kind)
        assert pair.exact
        assert {ids_of(original, copy)} == groups([pair])


async def test_images_near_in_hash_and_embedding_are_near_duplicates_and_not_copies(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    near = image_with(perceptual_hash=turned(hash_of(1), NEAR_DISTANCE), pixel_sha256="2")
    await catalog.add(near, embedding_at(0.4))
    same_hash = image_with(perceptual_hash=hash_of(1), pixel_sha256="3")
    await catalog.add(same_hash, embedding_at(0.2))
    await duplicates.update()
    pairs = await duplicates.pairs(NEAR)
    assert not any(pair.exact for pair in pairs)
    assert {ids_of(original, near, same_hash)} == groups(pairs)
    assert [] == await duplicates.pairs(EXACT)


@pytest.mark.parametrize(
    ("perceptual_hash", "embedding"),
    [
        (turned(hash_of(1), NEAR_DISTANCE + 1), EAST),
        (hash_of(2), EAST),
        (hash_of(1), embedding_at(0.46)),
        (turned(hash_of(1), 5), NORTH),
        (FLAT, EAST),
        (None, EAST),
    ],
    ids=["hash just too far", "hash far", "angle just too wide", "angle wide", "flat", "no hash"],
)
async def test_images_far_in_hash_or_embedding_are_not_duplicates(
    catalog: ImageLibrary,
    duplicates: Duplicates,
    original: Image,
    perceptual_hash: bytes | None,
    embedding: Embedding,
) -> None:
    other = image_with(perceptual_hash=perceptual_hash, pixel_sha256=None)
    await catalog.add(other, embedding)
    await duplicates.update()
    assert [] == await duplicates.pairs(NEAR)
    assert [] == await duplicates.pairs_among([original.id, other.id], NEAR)


async def test_flat_images_are_duplicates_of_exact_copies_only(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    flat = [image_with(perceptual_hash=FLAT, pixel_sha256=digest) for digest in "bbw"]
    for image in flat:
        await catalog.add(image, EAST)
    await duplicates.update()
    for pairs in (
        await duplicates.pairs(NEAR),
        await duplicates.pairs_among([*map(id_of, flat)], NEAR),
    ):
        assert {ids_of(*flat[:2])} == groups(pairs)


async def test_images_that_are_not_ready_are_not_compared(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    failed = image_with(perceptual_hash=hash_of(1), pixel_sha256="1", status=ImageStatus.PROCESSING)
    await catalog.add(failed, EAST)
    assert 1 == await duplicates.update()
    assert [] == await duplicates.pairs(NEAR)
    assert original.id not in map(id_of, await duplicates.unhashed(10))


async def test_each_image_is_compared_once(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    assert 1 == await duplicates.update()
    assert 0 == await duplicates.update()
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)
    assert [] == await duplicates.pairs(NEAR)
    assert 1 == await duplicates.update()
    assert {ids_of(original, copy)} == groups(await duplicates.pairs(NEAR))


async def test_pairs_among_given_images_do_not_depend_on_earlier_updates(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    copy, near, other, not_given = (
        image_with(perceptual_hash=hash_of(1), pixel_sha256="1"),
        image_with(perceptual_hash=turned(hash_of(1), 9), pixel_sha256="2"),
        image_with(perceptual_hash=hash_of(3), pixel_sha256="3"),
        image_with(perceptual_hash=hash_of(3), pixel_sha256="3"),
    )
    for image in (copy, near, other, not_given):
        await catalog.add(image, EAST)
    ids = [original.id, copy.id, near.id, other.id]
    for _ in range(2):
        assert {ids_of(original, copy, near)} == groups(await duplicates.pairs_among(ids, NEAR))
        assert {ids_of(original, copy)} == groups(await duplicates.pairs_among(ids, EXACT))
        assert [] == await duplicates.pairs_among([], NEAR)
        await duplicates.update()


async def test_the_similarity_of_a_group_is_the_least_of_its_pairs(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    images = [await catalog.add(image_with(), embedding_at(angle)) for angle in (0, 0.1, 0.3)]
    ids = [image.id for image in images]
    assert [cos(0.3), cos(0.1), 1, 1] == pytest.approx(
        await duplicates.similarities([ids, ids[:2], ids[:1], []]), abs=1e-6
    )
    assert max(await duplicates.similarities([[ids[0], ids[1]]] * 20)) <= 1
    assert [] == await duplicates.similarities([])


async def test_images_without_a_hash_are_compared_after_they_get_one(
    catalog: ImageLibrary, duplicates: Duplicates, original: Image
) -> None:
    earlier = [
        await catalog.add(image_with(id_), EAST) for id_ in sorted(uuid7() for _ in range(3))
    ]
    assert 1 == await duplicates.update()
    assert earlier[:2] == await duplicates.unhashed(2)
    for image, digest in zip(earlier, ("1", None, "2"), strict=True):
        hashed = FLAT if digest is None else turned(hash_of(1), 3)
        await duplicates.set_hash(image.id, perceptual_hash=hashed, pixel_sha256=digest)
    await duplicates.set_hash(image_with().id, perceptual_hash=FLAT, pixel_sha256=None)
    assert [] == await duplicates.unhashed(2)
    stored = (await catalog.get([earlier[2].id]))[earlier[2].id]
    assert (turned(hash_of(1), 3), "2") == (stored.perceptual_hash, stored.pixel_sha256)
    assert 3 == await duplicates.update()
    assert {ids_of(original, earlier[0], earlier[2])} == groups(await duplicates.pairs(NEAR))
    assert {ids_of(original, earlier[0])} == groups(await duplicates.pairs(EXACT))


async def test_groups_of_random_images_are_those_of_comparing_all_pairs(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    images, embeddings = random_images(Random(7), motifs=40)
    expected = expected_groups(images, embeddings, NEAR)
    assert len(expected) > 10
    for start in range(0, len(images), 40):
        for image in images[start : start + 40]:
            await catalog.add(image, embeddings[image.id])
        await duplicates.update()
    assert expected == groups(await duplicates.pairs(NEAR))
    assert expected == groups(await duplicates.pairs_among([*map(id_of, images)], NEAR))


async def test_unhashed_images_are_read_in_pages(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    first, second, third = sorted([(await catalog.add(image_with(), EAST)).id for _ in range(3)])
    assert [first, second] == [*map(id_of, await duplicates.unhashed(2))]
    assert [third] == [*map(id_of, await duplicates.unhashed(2, after=second))]
    assert [] == [*map(id_of, await duplicates.unhashed(2, after=third))]
