"""Pairs of near hashes, found without comparing all with all.

Multi-index hashing (Norouzi, Punjani & Fleet, 2012): the 256 bits are dealt to 16 bands of 16. Of
two hashes that differ in at most 31 bits, one band at least differs in at most 1: looking each band
up as it is and with each of its bits turned finds every such pair, among few others.
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
assert NEAR_DISTANCE < 2 * _BANDS  # noqa: S101 - what the search stands on

CROWD = 200
"""Hashes that share a band. Two random ones do so once in 4,096: more is a camera that stands
still, and those are compared with their predecessors only, as a sorted neighbourhood (Hernandez &
Stolfo, 1995)."""

NEIGHBOURS = 32
"""How many predecessors of a crowd are compared."""


def near_pairs(hashes: bytes, *, known: int) -> tuple[Indices, Indices, Indices]:
    """Return the near pairs of hashes, 32 bytes each, but for those of two ``known`` ones.

    The known ones stand in front. Three arrays: the later of each pair, the earlier, and the bits
    in which they differ; sorted by the later and the bits. Blocks for as long as it takes.
    """
    rows = np.frombuffer(hashes, np.uint8).reshape(-1, len(FLAT))
    words = rows.view(np.uint64)
    count = len(rows)
    found = np.empty(0, np.int64)
    for band in _bands(rows):
        near = [found]
        for later, earlier in _meetings(band, known):
            close = _distances(words, later, earlier) <= NEAR_DISTANCE
            near.append(later[close] * count + earlier[close])
        # Most pairs meet in several bands.
        found = np.unique(np.concatenate(near))
    later, earlier = np.divmod(found, max(1, count))
    distances = _distances(words, later, earlier)
    order = np.lexsort((distances, later))
    return later[order], earlier[order], distances[order]


def _bands(rows: NDArray[np.uint8]) -> Iterator[Indices]:
    """Yield the bands as numbers. Each takes one frequency of every row and every column."""
    square = np.unpackbits(rows, axis=1).reshape(-1, _BANDS, _BITS)
    vertical = np.arange(_BANDS)
    for band in range(_BANDS):
        bits = square[:, vertical, (vertical + band) % _BITS]
        packed = np.ascontiguousarray(np.packbits(bits, axis=1))
        yield packed.view(np.uint16)[:, 0].astype(np.int64)


def _meetings(band: Indices, known: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs whose bands are equal or differ in one bit, later and earlier."""
    new = np.arange(known, len(band))
    order = np.argsort(band, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(band, minlength=_VALUES))])
    place = np.empty_like(order)
    place[order] = np.arange(len(band))
    # As they are: those in front of each in its own run.
    begin, end = starts[band[known:]], place[known:]
    crowded = starts[band[known:] + 1] - begin > CROWD
    begin = np.where(crowded, np.maximum(begin, end - NEIGHBOURS), begin)
    yield _spread(new, order, begin, end)
    for bit in range(_BITS):
        value = band[known:] ^ (1 << bit)
        begin, end = starts[value], starts[value + 1]
        end = np.where(crowded | (end - begin > CROWD), begin, end)
        later, earlier = _spread(new, order, begin, end)
        first = earlier < later
        yield later[first], earlier[first]


def _spread(new: Indices, order: Indices, begin: Indices, end: Indices) -> tuple[Indices, Indices]:
    """Return each of the new ones beside each that the run from ``begin`` to ``end`` holds."""
    lengths = end - begin
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(new, lengths), order[np.repeat(begin, lengths) + within]


def _distances(words: NDArray[np.uint64], later: Indices, earlier: Indices) -> Indices:
    turned: Indices = np.bitwise_count(words[later] ^ words[earlier]).sum(axis=1, dtype=np.int64)
    return turned
