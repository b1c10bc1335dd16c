"""What every adapter of the port Duplicates promises."""

from __future__ import annotations

from math import cos
from random import Random
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import FLAT, Image, ImageStatus, uuid7
from domain.entities.near_duplicates import NEAR_DISTANCE
from tests.contracts.alike import (
    EAST,
    EXACT,
    NEAR,
    NORTH,
    at,
    group,
    groups,
    groups_of_all,
    id_of,
    library,
)
from tests.fakes.hashes import hash_of, turned
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.entities.embeddings import Embedding
    from domain.ports import Duplicates
    from tests.postgres_library import ImageLibrary


@pytest.fixture
async def sunset(catalog: ImageLibrary) -> Image:
    """A picture to be like."""
    return await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)


async def test_the_same_pixels_in_other_bytes_are_exact_copies(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)
    await catalog.add(image_with(perceptual_hash=hash_of(2), pixel_sha256="2"), EAST)
    assert 3 == await duplicates.update()
    for kind in (EXACT, NEAR):
        [link] = await duplicates.pairs(kind)
        assert link.exact
        assert {group(sunset, copy)} == groups([link])


async def test_near_in_hash_and_embedding_are_near_duplicates_and_no_copies(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    like = image_with(perceptual_hash=turned(hash_of(1), NEAR_DISTANCE), pixel_sha256="2")
    await catalog.add(like, at(0.4))
    same_hash = image_with(perceptual_hash=hash_of(1), pixel_sha256="3")
    await catalog.add(same_hash, at(0.2))
    await duplicates.update()
    links = await duplicates.pairs(NEAR)
    assert not any(link.exact for link in links)
    assert {group(sunset, like, same_hash)} == groups(links)
    assert [] == await duplicates.pairs(EXACT)


@pytest.mark.parametrize(
    ("perceptual_hash", "embedding"),
    [
        (turned(hash_of(1), NEAR_DISTANCE + 1), EAST),
        (hash_of(2), EAST),
        (hash_of(1), at(0.46)),
        (turned(hash_of(1), 5), NORTH),
        (FLAT, EAST),
        (None, EAST),
    ],
    ids=["a bit too far", "far", "an angle too wide", "other", "flat", "no hash"],
)
async def test_hash_and_embedding_have_to_agree(
    catalog: ImageLibrary,
    duplicates: Duplicates,
    sunset: Image,
    perceptual_hash: bytes | None,
    embedding: Embedding,
) -> None:
    other = image_with(perceptual_hash=perceptual_hash, pixel_sha256=None)
    await catalog.add(other, embedding)
    await duplicates.update()
    assert [] == await duplicates.pairs(NEAR)
    assert [] == await duplicates.pairs_among([sunset.id, other.id], NEAR)


async def test_what_is_flat_is_like_its_exact_copies_alone(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    flat = [image_with(perceptual_hash=FLAT, pixel_sha256=digest) for digest in "bbw"]
    for image in flat:
        await catalog.add(image, EAST)
    await duplicates.update()
    for links in (
        await duplicates.pairs(NEAR),
        await duplicates.pairs_among([*map(id_of, flat)], NEAR),
    ):
        assert {group(*flat[:2])} == groups(links)


async def test_images_that_are_not_ready_are_not_compared(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    failed = image_with(perceptual_hash=hash_of(1), pixel_sha256="1", status=ImageStatus.PROCESSING)
    await catalog.add(failed, EAST)
    assert 1 == await duplicates.update()
    assert [] == await duplicates.pairs(NEAR)
    assert sunset.id not in await duplicates.unhashed(10)


async def test_what_was_compared_is_not_compared_again(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    assert 1 == await duplicates.update()
    assert 0 == await duplicates.update()
    copy = await catalog.add(image_with(perceptual_hash=hash_of(1), pixel_sha256="1"), EAST)
    assert [] == await duplicates.pairs(NEAR)
    assert 1 == await duplicates.update()
    assert {group(sunset, copy)} == groups(await duplicates.pairs(NEAR))


async def test_among_the_hits_of_a_search_all_are_compared_whether_they_were_or_not(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    copy, like, elsewhere, asked_not = (
        image_with(perceptual_hash=hash_of(1), pixel_sha256="1"),
        image_with(perceptual_hash=turned(hash_of(1), 9), pixel_sha256="2"),
        image_with(perceptual_hash=hash_of(3), pixel_sha256="3"),
        image_with(perceptual_hash=hash_of(3), pixel_sha256="3"),
    )
    for image in (copy, like, elsewhere, asked_not):
        await catalog.add(image, EAST)
    ids = [sunset.id, copy.id, like.id, elsewhere.id]
    for _ in range(2):
        assert {group(sunset, copy, like)} == groups(await duplicates.pairs_among(ids, NEAR))
        assert {group(sunset, copy)} == groups(await duplicates.pairs_among(ids, EXACT))
        assert [] == await duplicates.pairs_among([], NEAR)
        await duplicates.update()


async def test_the_similarity_of_a_group_is_the_smallest_of_its_pairs(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    images = [await catalog.add(image_with(), at(angle)) for angle in (0, 0.1, 0.3)]
    ids = [image.id for image in images]
    assert [cos(0.3), cos(0.1), 1, 1] == pytest.approx(
        await duplicates.similarities([ids, ids[:2], ids[:1], []]), abs=1e-6
    )
    assert max(await duplicates.similarities([[ids[0], ids[1]]] * 20)) <= 1
    assert [] == await duplicates.similarities([])


async def test_images_of_earlier_versions_are_compared_once_they_have_a_hash(
    catalog: ImageLibrary, duplicates: Duplicates, sunset: Image
) -> None:
    earlier = [
        await catalog.add(image_with(id_), EAST) for id_ in sorted(uuid7() for _ in range(3))
    ]
    assert 1 == await duplicates.update()
    assert [image.id for image in earlier[:2]] == await duplicates.unhashed(2)
    for image, digest in zip(earlier, ("1", None, "2"), strict=True):
        hashed = FLAT if digest is None else turned(hash_of(1), 3)
        await duplicates.set_hash(image.id, perceptual_hash=hashed, pixel_sha256=digest)
    await duplicates.set_hash(image_with().id, perceptual_hash=FLAT, pixel_sha256=None)
    assert [] == await duplicates.unhashed(2)
    kept = (await catalog.get([earlier[2].id]))[earlier[2].id]
    assert (kept.perceptual_hash, kept.pixel_sha256) == (turned(hash_of(1), 3), "2")
    assert 3 == await duplicates.update()
    assert {group(sunset, earlier[0], earlier[2])} == groups(await duplicates.pairs(NEAR))
    assert {group(sunset, earlier[0])} == groups(await duplicates.pairs(EXACT))


async def test_many_pictures_of_all_kinds_fall_into_the_groups_that_comparing_all_gives(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    images, embeddings = library(Random(7), motifs=40)
    expected = groups_of_all(images, embeddings, NEAR)
    assert len(expected) > 10
    for start in range(0, len(images), 40):
        for image in images[start : start + 40]:
            await catalog.add(image, embeddings[image.id])
        await duplicates.update()
    assert expected == groups(await duplicates.pairs(NEAR))
    assert expected == groups(await duplicates.pairs_among([*map(id_of, images)], NEAR))


async def test_unhashed_images_can_be_gone_through(
    catalog: ImageLibrary, duplicates: Duplicates
) -> None:
    first, second, third = sorted([(await catalog.add(image_with(), EAST)).id for _ in range(3)])
    assert [first, second] == list(await duplicates.unhashed(2))
    assert [third] == list(await duplicates.unhashed(2, after=second))
    assert [] == list(await duplicates.unhashed(2, after=third))
