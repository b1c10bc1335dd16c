"""near_pairs: finds every near pair, and a bounded number of pairs in overfull buckets."""

from __future__ import annotations

from random import Random

import pytest

from domain.entities.near_duplicates import NEAR_DISTANCE, hamming
from infra.postgres.duplicates.near_hashes import BUCKET_WINDOW, MAX_BUCKET_SIZE, near_pairs
from tests.fakes.hashes import hash_of, turned


def found_pairs(hashes: list[bytes], known: int = 0) -> dict[tuple[int, int], int]:
    pairs = zip(*near_pairs(b"".join(hashes), known=known), strict=True)
    return {(int(later), int(earlier)): int(distance) for later, earlier, distance in pairs}


def expected_pairs(hashes: list[bytes], known: int = 0) -> dict[tuple[int, int], int]:
    return {
        (later, earlier): distance
        for later in range(known, len(hashes))
        for earlier in range(later)
        if (distance := hamming(hashes[later], hashes[earlier])) <= NEAR_DISTANCE
    }


def random_hashes(seed: int) -> list[bytes]:
    """Return 200 hashes. Many are near others, at every distance."""
    random = Random(seed)
    hashes = [hash_of(number) for number in range(50)]
    while len(hashes) < 200:
        hashes.append(turned(random.choice(hashes), random.randrange(45), seed=len(hashes)))
    random.shuffle(hashes)
    return hashes


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("known", [0, 120, 199, 200])
def test_exactly_the_near_pairs_with_a_new_hash_are_found(seed: int, known: int) -> None:
    hashes = random_hashes(seed)
    assert expected_pairs(hashes, known) == found_pairs(hashes, known)


def test_a_pair_is_found_wherever_its_bits_differ() -> None:
    hashes = [hash_of(0)]
    hashes += [turned(hashes[0], NEAR_DISTANCE, seed=seed) for seed in range(150)]
    assert {(later, 0) for later in range(1, 151)} <= found_pairs(hashes).keys()


def test_pairs_are_sorted_by_distance() -> None:
    hashes = [turned(hash_of(0), bits) for bits in (9, 3, 20, 0)]
    pairs = list(
        zip(*(array.tolist() for array in near_pairs(b"".join(hashes), known=3)), strict=True)
    )
    assert [(3, 1, 3), (3, 0, 9), (3, 2, 20)] == pairs


def test_each_hash_of_an_overfull_bucket_is_paired_with_a_few_predecessors() -> None:
    hashes = [turned(hash_of(0), number % 3, seed=number) for number in range(4 * MAX_BUCKET_SIZE)]
    pairs = found_pairs(hashes)
    assert set(range(1, len(hashes))) == {later for later, _ in pairs}
    assert len(pairs) < len(hashes) * MAX_BUCKET_SIZE
    assert pairs.items() <= expected_pairs(hashes).items()
    equal = found_pairs([hash_of(0)] * 4 * MAX_BUCKET_SIZE)
    assert len(equal) <= 4 * MAX_BUCKET_SIZE * BUCKET_WINDOW


def test_no_hash_and_one_hash_have_no_pairs() -> None:
    assert {} == found_pairs([])
    assert {} == found_pairs([hash_of(0)])
