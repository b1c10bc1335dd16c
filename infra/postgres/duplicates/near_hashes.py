"""Finds all pairs of near hashes by multi-index hashing, without comparing each with each.

Multi-index hashing (Norouzi, Punjani & Fleet, 2012): the 256 bits are divided into 16 bands of 16.
Where two hashes differ in at most 31 bits, they differ in at most one bit of at least one band. So
a lookup of each band, as it is and with each of its bits flipped, finds every near pair, and few
others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from domain.entities.images import FLAT
from domain.entities.near_duplicates import NEAR_DISTANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

_BANDS = 16
_BITS = 16
_VALUES = 1 << _BITS
assert NEAR_DISTANCE < 2 * _BANDS  # noqa: S101 - the precondition of multi-index hashing

MAX_BUCKET_SIZE = 200
"""A bucket is the hashes with the same value of a band. Two random hashes share one of their
buckets once in 4,096 pairs. A fuller bucket comes from a camera that stands still: its hashes are
compared only with their predecessors, as in a sorted neighbourhood (Hernandez & Stolfo, 1995)."""

BUCKET_WINDOW = 32
"""With how many predecessors a hash of an overfull bucket is compared."""


def near_pairs(hashes: bytes, *, known: int) -> tuple[Indices, Indices, Indices]:
    """Return the near pairs among concatenated hashes of 32 bytes, without pairs of known ones.

    The first ``known`` hashes are the known ones. Returns three arrays: the index of the later hash
    of each pair, that of the earlier, and their Hamming distance; sorted by the later index, then
    by distance. Blocks while it runs: call it in a thread.
    """
    rows = np.frombuffer(hashes, np.uint8).reshape(-1, len(FLAT))
    words = rows.view(np.uint64)
    count = len(rows)
    found = np.empty(0, np.int64)
    for band in _bands(rows):
        near = [found]
        for later, earlier in _candidates(band, known):
            close = _hamming_distances(words, later, earlier) <= NEAR_DISTANCE
            near.append(later[close] * count + earlier[close])
        # Most pairs share buckets of several bands.
        found = np.unique(np.concatenate(near))
    later, earlier = np.divmod(found, max(1, count))
    distances = _hamming_distances(words, later, earlier)
    order = np.lexsort((distances, later))
    return later[order], earlier[order], distances[order]


def _bands(rows: NDArray[np.uint8]) -> Iterator[Indices]:
    """Yield the values of each band.

    A hash is a square of 16 by 16 frequencies. A band is a diagonal of it: it has one bit of each
    row and each column.
    """
    square = np.unpackbits(rows, axis=1).reshape(-1, _BANDS, _BITS)
    row_indices = np.arange(_BANDS)
    for band in range(_BANDS):
        bits = square[:, row_indices, (row_indices + band) % _BITS]
        packed = np.ascontiguousarray(np.packbits(bits, axis=1))
        yield packed.view(np.uint16)[:, 0].astype(np.int64)


def _candidates(band: Indices, known: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield the later and the earlier of pairs whose values are equal or differ in one bit."""
    new = np.arange(known, len(band))
    # Sorted by value, a bucket is a run of ``order`` that begins at ``starts`` of its value.
    order = np.argsort(band, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(band, minlength=_VALUES))])
    position = np.empty_like(order)
    position[order] = np.arange(len(band))
    # Equal values: the predecessors of each hash in its own bucket.
    begin, end = starts[band[known:]], position[known:]
    overfull = starts[band[known:] + 1] - begin > MAX_BUCKET_SIZE
    begin = np.where(overfull, np.maximum(begin, end - BUCKET_WINDOW), begin)
    yield _expand_runs(new, order, begin, end)
    for bit in range(_BITS):
        value = band[known:] ^ (1 << bit)
        begin, end = starts[value], starts[value + 1]
        end = np.where(overfull | (end - begin > MAX_BUCKET_SIZE), begin, end)
        later, earlier = _expand_runs(new, order, begin, end)
        is_ordered = earlier < later
        yield later[is_ordered], earlier[is_ordered]


def _expand_runs(
    new: Indices, order: Indices, begin: Indices, end: Indices
) -> tuple[Indices, Indices]:
    """Return each new index paired with each index of its run of ``order``, begin to end."""
    lengths = end - begin
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(new, lengths), order[np.repeat(begin, lengths) + offsets]


def _hamming_distances(words: NDArray[np.uint64], later: Indices, earlier: Indices) -> Indices:
    distances: Indices = np.bitwise_count(words[later] ^ words[earlier]).sum(axis=1, dtype=np.int64)
    return distances
