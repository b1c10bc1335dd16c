"""Perceptual hashes, made up."""

from __future__ import annotations

from random import Random


def hash_of(seed: int) -> bytes:
    """A hash that differs from that of every other seed in about half of its bits."""
    return Random(seed).randbytes(32)


def turned(perceptual_hash: bytes, bits: int, *, seed: int = 0) -> bytes:
    """The hash with so many of its bits turned."""
    number = int.from_bytes(perceptual_hash)
    for place in Random(seed).sample(range(256), bits):
        number ^= 1 << place
    return number.to_bytes(32)
