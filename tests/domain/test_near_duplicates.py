"""Groups that links make, and hits that stand for others."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from uuid import UUID

import pytest

from domain.entities.embeddings import Hit
from domain.entities.images import FLAT
from domain.entities.near_duplicates import (
    NEAR_DISTANCE,
    CollapsedHit,
    DuplicatePair,
    are_near,
    collapsed,
    hamming,
    oldest_of_group,
)
from tests.fakes.hashes import hash_of, turned


def link(one: int, other: int) -> DuplicatePair:
    return DuplicatePair(UUID(int=one), UUID(int=other), exact=False)


def oldest(*links: DuplicatePair) -> dict[int, int]:
    return {image_id.int: first.int for image_id, first in oldest_of_group(links).items()}


def test_images_are_alike_over_any_number_of_links_in_any_order() -> None:
    links = [link(5, 3), link(9, 8), link(7, 5), link(2, 9), link(3, 7)]
    for seed in range(20):
        Random(seed).shuffle(links)
        turned_around = [link(one.other.int, one.one.int) for one in links]
        expected = {2: 2, 8: 2, 9: 2, 3: 3, 5: 3, 7: 3}
        assert expected == oldest(*links) == oldest(*turned_around)


def test_a_chain_of_a_hundred_thousand_is_one_group_in_no_time() -> None:
    for ids in (range(100_000), range(100_000, 0, -1)):
        links = [link(one, other) for one, other in pairwise(ids)]
        assert {min(ids)} == set(oldest(*links).values())


def test_without_links_nobody_is_alike() -> None:
    assert {} == oldest()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (hash_of(1), hash_of(1), True),
        (hash_of(1), turned(hash_of(1), NEAR_DISTANCE), True),
        (hash_of(1), turned(hash_of(1), NEAR_DISTANCE + 1), False),
        (FLAT, FLAT, False),
        (FLAT, turned(FLAT, 1), False),
        (None, hash_of(1), False),
        (hash_of(1), None, False),
    ],
)
def test_hashes_are_near_in_31_bits_and_never_where_they_say_nothing(
    one: bytes | None, other: bytes | None, expected: object
) -> None:
    assert expected == are_near(one, other)


def test_the_distance_of_two_hashes_is_in_bits() -> None:
    assert 0 == hamming(hash_of(1), hash_of(1))
    assert 7 == hamming(hash_of(1), turned(hash_of(1), 7))
    assert 256 == hamming(FLAT, b"\xff" * 32)


def hits(*ids: int) -> list[Hit]:
    return [Hit(UUID(int=id_), 1 - rank / 100) for rank, id_ in enumerate(ids)]


def test_the_best_hit_of_a_group_stands_for_it() -> None:
    found = hits(4, 1, 6, 2, 9)
    links = [link(1, 4), link(4, 2), link(6, 7)]
    assert (
        CollapsedHit(found[0], 3),
        CollapsedHit(found[2], 1),
        CollapsedHit(found[4], 1),
    ) == collapsed(found, links)


def test_hits_without_links_stand_for_themselves() -> None:
    assert tuple(CollapsedHit(hit, 1) for hit in hits(3, 1)) == collapsed(hits(3, 1), [])
    assert () == collapsed([], [link(1, 2)])


def test_a_link_outside_of_what_was_found_can_join_two_hits() -> None:
    assert [2] == [each.count for each in collapsed(hits(1, 3), [link(1, 2), link(2, 3)])]
