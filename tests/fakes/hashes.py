"""Made-up perceptual hashes."""

from __future__ import annotations

from random import Random


def hash_of(seed: int) -> bytes:
    """Return a hash that differs from that of every other seed in about half of its bits."""
    return Random(seed).randbytes(32)


def turned(perceptual_hash: bytes, bits: int, *, seed: int = 0) -> bytes:
    """Return the hash with ``bits`` of its bits flipped."""
    number = int.from_bytes(perceptual_hash)
    for index in Random(seed).sample(range(256), bits):
        number ^= 1 << index
    return number.to_bytes(32)
