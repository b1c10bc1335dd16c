"""CLIP's tokenizer with a vocabulary of caption words.

Each caption word is one token. Other words become several tokens, down to single bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from postcards import grammar
from postcards.lexicon import TRAINING_LEXICON
from postcards.scenes import COLOURS, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from postcards.lexicon import Lexicon

CONTEXT_LENGTH = 77
"""The maximum tokens of a text, with start and end token, as in OpenAI's CLIP."""

WORD_END_SUFFIX = "</w>"
START_TOKEN, END_TOKEN = "<|startoftext|>", "<|endoftext|>"

WORD_PATTERN = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")
"""CLIP's pattern, reduced to captions: they are lower-case ASCII."""


def caption_words() -> list[str]:
    """Return every word of training captions, except random words."""
    phrases = [
        *_phrases(TRAINING_LEXICON),
        *grammar.OPENINGS,
        *grammar.FILLERS,
        *(form for forms in grammar.COUNT_WORDS.values() for form in forms),
        *(form for forms in grammar.SIZE_WORDS.values() for form in forms),
        *(form for forms in grammar.PLACE_PHRASES.values() for form in forms),
        *COLOURS,
        *PLACES,
        "a an the with and something over above near by before sunny sunshine stars starry on",
    ]
    return sorted(
        {word for phrase in phrases for word in WORD_PATTERN.findall(phrase) if word.isalpha()}
    )


def _phrases(lexicon: Lexicon) -> Iterator[str]:
    for names in lexicon.things.values():
        for one, many in names:
            yield from (one, many)
    for places in lexicon.settings.values():
        for place in places:
            yield from (place.preposition, place.noun)
    for manner in (*lexicon.times.values(), *lexicon.weathers.values()):
        yield from (*manner.adverbs, *manner.nouns, *manner.adjectives)


def make_tokenizer(words: Iterable[str]) -> CLIPTokenizer:
    """Return CLIP's tokenizer with an alphabet of bytes, and with merges learnt from ``words``.

    It can encode every text: an unknown word becomes several tokens, down to bytes.
    """
    merges = learn_merges(words)
    # It takes pairs; its annotation is wrong.
    return CLIPTokenizer(_vocabulary(merges), merges, model_max_length=CONTEXT_LENGTH)  # type: ignore[arg-type]


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Learn byte pair encoding (Sennrich et al., 2016) until every word is one token.

    Ties are broken alphabetically; the trainer of ``tokenizers`` breaks them at random.
    """
    spellings = [_letters(word) for word in words]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for letters in spellings for pair in pairwise(letters)):
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        for letters in spellings:
            _merge(letters, merges[-1])
    return merges


class CaptionTokenizer:
    """Encodes captions as token ids, with BPE-dropout (Provilkov et al., 2020).

    From words in parts the model learns the parts, and with them words that it has never seen.
    Without dropout the ids equal those of the tokenizer.
    """

    def __init__(
        self, words: Sequence[str], *, dropout: float = 0.0, merge_dropout: float = 0.25
    ) -> None:
        merges = learn_merges(words)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._ids = _vocabulary(merges)
        self._dropout = dropout
        self._merge_dropout = merge_dropout
        self._known: dict[str, list[int]] = {}

    def encode(self, caption: str, random: Random) -> list[int]:
        """Return ids with start and end token, at most CONTEXT_LENGTH of them."""
        ids = [self._ids[START_TOKEN]]
        for word in WORD_PATTERN.findall(caption):
            if random.random() < self._dropout:
                ids += self._spell(word, random)
            else:
                ids += self._known.get(word) or self._remember(word)
        return [*ids[: CONTEXT_LENGTH - 1], self._ids[END_TOKEN]]

    def _remember(self, word: str) -> list[int]:
        ids = self._known[word] = self._spell(word, None)
        return ids

    def _spell(self, word: str, random: Random | None) -> list[int]:
        letters = _letters(word)
        while True:
            pairs = [
                (self._ranks[pair], place)
                for place, pair in enumerate(pairwise(letters))
                if pair in self._ranks
                and (random is None or random.random() >= self._merge_dropout)
            ]
            if not pairs:
                return [self._ids[part] for part in letters]
            _, place = min(pairs)
            letters[place : place + 2] = ["".join(letters[place : place + 2])]


def _vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Return the ids of all tokens in OpenAI's order.

    That is: bytes, bytes at word ends, merges, start token, end token.
    """
    alphabet = sorted(ByteLevel.alphabet())
    tokens = [
        *alphabet,
        *(byte + WORD_END_SUFFIX for byte in alphabet),
        *(left + right for left, right in merges),
        START_TOKEN,
        END_TOKEN,
    ]
    return {token: place for place, token in enumerate(tokens)}


def _letters(word: str) -> list[str]:
    return [*word[:-1], word[-1] + WORD_END_SUFFIX]


def _merge(letters: list[str], pair: tuple[str, str]) -> None:
    place = 0
    while place < len(letters) - 1:
        if (letters[place], letters[place + 1]) == pair:
            letters[place : place + 2] = ["".join(pair)]
        place += 1
