"""Groups of pairs, and collapsed hits."""

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


def pair(one: int, other: int) -> DuplicatePair:
    return DuplicatePair(UUID(int=one), UUID(int=other), exact=False)


def oldest(*pairs: DuplicatePair) -> dict[int, int]:
    return {image_id.int: first.int for image_id, first in oldest_of_group(pairs).items()}


def test_groups_are_connected_over_any_number_of_pairs_in_any_order() -> None:
    pairs = [pair(5, 3), pair(9, 8), pair(7, 5), pair(2, 9), pair(3, 7)]
    for seed in range(20):
        Random(seed).shuffle(pairs)
        swapped = [pair(one.other.int, one.one.int) for one in pairs]
        expected = {2: 2, 8: 2, 9: 2, 3: 3, 5: 3, 7: 3}
        assert expected == oldest(*pairs) == oldest(*swapped)


def test_a_chain_of_a_hundred_thousand_pairs_is_one_group() -> None:
    for ids in (range(100_000), range(100_000, 0, -1)):
        pairs = [pair(one, other) for one, other in pairwise(ids)]
        assert {min(ids)} == set(oldest(*pairs).values())


def test_no_pairs_make_no_groups() -> None:
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
def test_hashes_are_near_up_to_31_bits_and_flat_or_missing_ones_never_are(
    one: bytes | None, other: bytes | None, expected: object
) -> None:
    assert expected == are_near(one, other)


def test_the_hamming_distance_counts_bits() -> None:
    assert 0 == hamming(hash_of(1), hash_of(1))
    assert 7 == hamming(hash_of(1), turned(hash_of(1), 7))
    assert 256 == hamming(FLAT, b"\xff" * 32)


def hits(*ids: int) -> list[Hit]:
    return [Hit(UUID(int=id_), 1 - rank / 100) for rank, id_ in enumerate(ids)]


def test_a_group_collapses_into_its_best_hit() -> None:
    found = hits(4, 1, 6, 2, 9)
    pairs = [pair(1, 4), pair(4, 2), pair(6, 7)]
    assert (
        CollapsedHit(found[0], 3),
        CollapsedHit(found[2], 1),
        CollapsedHit(found[4], 1),
    ) == collapsed(found, pairs)


def test_hits_without_pairs_do_not_collapse() -> None:
    assert tuple(CollapsedHit(hit, 1) for hit in hits(3, 1)) == collapsed(hits(3, 1), [])
    assert () == collapsed([], [pair(1, 2)])


def test_hits_collapse_through_an_image_that_is_not_a_hit() -> None:
    assert [2] == [each.count for each in collapsed(hits(1, 3), [pair(1, 2), pair(2, 3)])]
