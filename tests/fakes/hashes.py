"""Random perceptual hashes, and hashes at a given distance."""

from __future__ import annotations

from random import Random


def hash_of(seed: int) -> bytes:
    """A random hash: two seeds differ in about half of the bits."""
    return Random(seed).randbytes(32)


def turned(perceptual_hash: bytes, bits: int, *, seed: int = 0) -> bytes:
    """The hash with ``bits`` random bits flipped: at that Hamming distance."""
    number = int.from_bytes(perceptual_hash)
    for position in Random(seed).sample(range(256), bits):
        number ^= 1 << position
    return number.to_bytes(32)
