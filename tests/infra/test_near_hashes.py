"""Every near pair of hashes is found, and those that share everything cost no more than others."""

from __future__ import annotations

from random import Random

import pytest

from domain.entities.near_duplicates import NEAR_DISTANCE, hamming
from infra.postgres.duplicates.near_hashes import CROWD, NEIGHBOURS, near_pairs
from tests.fakes.hashes import hash_of, turned


def found(hashes: list[bytes], known: int = 0) -> dict[tuple[int, int], int]:
    pairs = zip(*near_pairs(b"".join(hashes), known=known), strict=True)
    return {(int(later), int(earlier)): int(distance) for later, earlier, distance in pairs}


def expected(hashes: list[bytes], known: int = 0) -> dict[tuple[int, int], int]:
    return {
        (later, earlier): distance
        for later in range(known, len(hashes))
        for earlier in range(later)
        if (distance := hamming(hashes[later], hashes[earlier])) <= NEAR_DISTANCE
    }


def some_hashes(seed: int) -> list[bytes]:
    """Two hundred, many of them near others, and at every distance."""
    random = Random(seed)
    hashes = [hash_of(number) for number in range(50)]
    while len(hashes) < 200:
        hashes.append(turned(random.choice(hashes), random.randrange(45), seed=len(hashes)))
    random.shuffle(hashes)
    return hashes


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("known", [0, 120, 199, 200])
def test_every_near_pair_of_which_one_is_new_is_found_and_no_other(seed: int, known: int) -> None:
    hashes = some_hashes(seed)
    assert expected(hashes, known) == found(hashes, known)


def test_a_pair_is_found_wherever_its_bits_differ() -> None:
    hashes = [hash_of(0)]
    hashes += [turned(hashes[0], NEAR_DISTANCE, seed=seed) for seed in range(150)]
    assert {(later, 0) for later in range(1, 151)} <= found(hashes).keys()


def test_the_nearest_come_first() -> None:
    hashes = [turned(hash_of(0), bits) for bits in (9, 3, 20, 0)]
    pairs = list(
        zip(*(array.tolist() for array in near_pairs(b"".join(hashes), known=3)), strict=True)
    )
    assert [(3, 1, 3), (3, 0, 9), (3, 2, 20)] == pairs


def test_of_a_crowd_each_is_found_beside_a_few_before_it() -> None:
    crowd = [turned(hash_of(0), number % 3, seed=number) for number in range(4 * CROWD)]
    pairs = found(crowd)
    assert set(range(1, len(crowd))) == {later for later, _ in pairs}
    assert len(pairs) < len(crowd) * CROWD
    assert pairs.items() <= expected(crowd).items()
    equal = found([hash_of(0)] * 4 * CROWD)
    assert len(equal) <= 4 * CROWD * NEIGHBOURS


def test_none_are_near_where_there_are_none_or_one() -> None:
    assert {} == found([])
    assert {} == found([hash_of(0)])
