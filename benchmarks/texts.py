"""Texts of a given number of tokens, of which none repeats."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = (
    *("red", "blue", "green", "white", "boat", "house", "tree", "sea", "lake", "castle"),
    *("horse", "bird", "tent", "train", "snow", "night", "beach", "forest", "city"),
)
"""Words that are one token of the bundled model's tokenizer, and of the real CLIP's."""

TYPICAL_TOKENS = 8
"""The tokens of a query of six words, with those of begin and end."""

STRIDE = 1_000_003
"""A prime number, so that its multiples visit every number below a base without this factor."""


def texts_of(tokens: int, *, start: int = 0) -> Iterator[str]:
    """Yield texts of this many tokens without end, in every run the same ones.

    ``start`` skips the beginning of the series. Neighbours of the series share few words.
    """
    words = tokens - 2
    for number in itertools.count(start):
        shuffled = number * STRIDE % len(WORDS) ** words
        digits = (shuffled // len(WORDS) ** place % len(WORDS) for place in range(words))
        yield " ".join(WORDS[digit] for digit in digits)
